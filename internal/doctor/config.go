package doctor

import (
	"context"

	"idp/internal/doctor/report"
)

// config repeats what `idp check` says; the other checks go on with what of the
// file could be read.
func (e *exam) config(context.Context) []report.Line {
	switch {
	case len(e.Problems) > 0:
		return append(Unreadable(e.Problems), lines(report.LevelWarning, e.Warnings)...)
	case e.File == "":
		return report.Warning("write an idp.yaml with your issuer and realm, or name it with --config", "no idp.yaml here or in /etc/idp: the defaults, for trying out (%s)", e.Version)
	default:
		return append(report.OK("%s is sound (%s)", e.File, e.Version), lines(report.LevelWarning, e.Warnings)...)
	}
}

// Unreadable are the lines for a file of which nothing else can be looked at.
func Unreadable(problems []Problem) []report.Line { return lines(report.LevelFailed, problems) }

func lines(level report.Level, problems []Problem) (lines []report.Line) {
	for _, p := range problems {
		text := p.Text
		if p.Key != "" {
			text = p.Key + ": " + text
		}
		if p.Where != "" {
			text = p.Where + ": " + text
		}
		lines = append(lines, report.Line{Check: "config", Level: level, Text: text, Hint: p.Hint, Details: map[string]any{"where": p.Where, "key": p.Key}})
	}
	return lines
}
