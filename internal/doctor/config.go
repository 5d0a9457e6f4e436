package doctor

import "context"

// config repeats what `idp check` says; the other checks go on with what of the
// file could be read.
func (e *exam) config(context.Context) []Result {
	switch {
	case len(e.Problems) > 0:
		return append(Unreadable(e.Problems), lines(Warning, e.Warnings)...)
	case e.File == "":
		return warning("write an idp.yaml with your issuer and realm, or name it with --config", "no idp.yaml here or in /etc/idp: the defaults, for trying out (%s)", e.Version)
	default:
		return append(ok("%s is sound (%s)", e.File, e.Version), lines(Warning, e.Warnings)...)
	}
}

// Unreadable are the lines for a file of which nothing else can be looked at.
func Unreadable(problems []Problem) []Result { return lines(Failed, problems) }

func lines(level Level, problems []Problem) (lines []Result) {
	for _, p := range problems {
		text := p.Text
		if p.Key != "" {
			text = p.Key + ": " + text
		}
		if p.Where != "" {
			text = p.Where + ": " + text
		}
		lines = append(lines, Result{Check: "config", Level: level, Text: text, Hint: p.Hint, Details: map[string]any{"where": p.Where, "key": p.Key}})
	}
	return lines
}
