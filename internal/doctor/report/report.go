// Package report is how the doctor says what was found: lines that are ok, a warning
// (it works, or may work, but ...) or failed (somebody cannot log in), the last two with
// what mends it.
package report

import (
	"fmt"
	"time"
)

// Level says how bad a line is.
type Level string

// The levels, from good to bad.
const (
	LevelOK      Level = "ok"
	LevelWarning Level = "warning"
	LevelFailed  Level = "failed"
)

// Line is one. Check and Level are stable, Text and Hint are for people.
type Line struct {
	Check   string         `json:"check"`
	Level   Level          `json:"level"`
	Text    string         `json:"text"`
	Hint    string         `json:"hint,omitempty"` // the command or change that mends it
	Details map[string]any `json:"details,omitempty"`
}

// OK is the one line of a check that found all well.
func OK(format string, args ...any) []Line {
	return []Line{{Level: LevelOK, Text: fmt.Sprintf(format, args...)}}
}

// Warning is the one line of a check that has something to say, with what mends it.
func Warning(hint, format string, args ...any) []Line {
	return []Line{{Level: LevelWarning, Hint: hint, Text: fmt.Sprintf(format, args...)}}
}

// Failed is the one line of a check that failed, with what mends it.
func Failed(hint, format string, args ...any) []Line {
	return []Line{{Level: LevelFailed, Hint: hint, Text: fmt.Sprintf(format, args...)}}
}

// Worst is the level of a whole report.
func Worst(lines []Line) Level {
	worst := LevelOK
	for _, r := range lines {
		if r.Level == LevelFailed || worst == LevelOK {
			worst = r.Level
		}
	}
	return worst
}

// Day is a date as lines have it, in UTC.
func Day(t time.Time) string { return t.UTC().Format("2006-01-02") }
