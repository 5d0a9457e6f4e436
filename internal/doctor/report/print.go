package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Print writes a line for each result, which begins with its level, and below a
// warning or failure what mends it.
func Print(w io.Writer, lines []Line) error {
	width := 0
	for _, r := range lines {
		width = max(width, len(r.Check))
	}
	for _, r := range lines {
		if _, err := fmt.Fprintf(w, "%-8s %-*s %s\n", r.Level, width, r.Check, oneLine(r.Text)); err != nil {
			return err
		}
		if r.Hint == "" {
			continue
		}
		if _, err := fmt.Fprintf(w, "%*s-> %s\n", 9+width+1, "", oneLine(r.Hint)); err != nil {
			return err
		}
	}
	return nil
}

// oneLine keeps what a stranger wrote (a header, a certificate) from making lines
// or colours of its own.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
}

// PrintJSON writes all results as one JSON object.
func PrintJSON(w io.Writer, lines []Line) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(struct {
		OK    bool   `json:"ok"` // nothing failed
		Lines []Line `json:"lines"`
	}{Worst(lines) != LevelFailed, lines})
}
