package user

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"idp/internal/command"
	"idp/internal/store"
)

func (c commands) resetFactor() *cobra.Command {
	cmd := c.change("reset-factor NAME", "Take a user's second factors away, when they are lost", func(o opened, u *store.User) (string, error) {
		n, err := o.Store.ResetFactors(o.Ctx, u.ID, o.entry(u))
		return resetDone(u.Name, n), err
	})
	cmd.Long = "Take all second factors and recovery codes of a user away, and end the sessions: for a phone that is lost, when no\n" +
		"recovery code is left. Make sure first that it is the user who asks. Where the rules demand a second factor, whoever\n" +
		"logs in next with the password sets up a new one."
	return cmd
}

func resetDone(name string, n int64) string {
	switch n {
	case 0:
		return name + " had no second factor, and the sessions have ended"
	case 1:
		return name + "'s second factor is gone, and the sessions have ended"
	}
	return fmt.Sprintf("%s's %d second factors are gone, and the sessions have ended", name, n)
}

// shownFactor is a factor without what is secret of it.
type shownFactor struct {
	Kind  string `json:"kind"`
	Name  string `json:"name"`
	Since string `json:"since"`
	Used  string `json:"used,omitempty"`
}

// factorsOf are a user's factors, and how many recovery codes are left.
func (o opened) factorsOf(u *store.User) (shown []shownFactor, codes int64, err error) {
	all, err := o.Store.FactorsOf(o.Ctx, u.ID)
	if err != nil {
		return nil, 0, err
	}
	for _, f := range all {
		s := shownFactor{Kind: f.Kind, Name: command.Plain(f.Name), Since: stamp(f.CreatedAt)}
		if f.UsedAt != 0 {
			s.Used = stamp(f.UsedAt)
		}
		shown = append(shown, s)
	}
	codes, err = o.Store.RecoveryCodesLeft(o.Ctx, u.ID)
	return shown, codes, err
}

func stamp(at store.Millis) string { return time.UnixMilli(at).UTC().Format(time.RFC3339) }
