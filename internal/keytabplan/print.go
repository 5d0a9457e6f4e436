package keytabplan

import (
	"fmt"
	"io"
	"strings"
)

// width of a line of prose.
const width = 110

// Write prints plans: prose behind "#", which both sh and PowerShell ignore,
// commands at the start of their lines.
func Write(w io.Writer, plans []Plan) error {
	var b strings.Builder
	for i, p := range plans {
		if i > 0 {
			b.WriteString("\n\n")
		}
		p.write(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (p *Plan) write(b *strings.Builder) {
	prose(b, "# ", "=== "+p.Title+" ===")
	prose(b, "# ", p.Tried)
	for _, n := range p.Notes {
		prose(b, "# - ", n)
	}
	for i, s := range p.Steps {
		fmt.Fprintf(b, "\n# %d. %s:\n", i+1, s.Where)
		prose(b, "#    ", s.Why)
		for _, c := range s.Commands {
			b.WriteString(c + "\n")
		}
		if s.OneHost != nil {
			b.WriteString("#    Is idp on this host, too? Then, in place of it:\n")
		}
		for _, c := range s.OneHost {
			b.WriteString("#    " + c + "\n")
		}
	}
}

// prose breaks a text into lines.
func prose(b *strings.Builder, lead, text string) {
	line := lead
	for word := range strings.FieldsSeq(text) {
		if len(line)+len(word) > width {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = "# " + strings.Repeat(" ", len(lead)-2)
		}
		line += word + " "
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}
