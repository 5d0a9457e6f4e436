package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"idp/internal/doctor/look"
	"idp/internal/doctor/report"
	"idp/internal/keys"
)

// secretKey: the file that opens what is sealed in the database.
func (e *exam) secretKey(ctx context.Context) []report.Line {
	st, schema, err := e.db()
	info, statErr := os.Stat(e.SecretKeyFile)
	switch {
	case err == nil && schema.Version > 0:
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return report.Warning("see database", "%s cannot be compared with the database", e.SecretKeyFile)
	case errors.Is(statErr, fs.ErrNotExist):
		return report.OK("%s is not there yet; the first start makes it with the database", e.SecretKeyFile)
	default:
		return report.OK("%s is there; the first start takes it for the new database", e.SecretKeyFile)
	}
	if _, err := e.ReadRing(ctx, st); err != nil {
		return e.noRing(err)
	}
	if info == nil {
		return nil
	}
	return report.OK("%s fits the database (mode %s, of %s)", e.SecretKeyFile, look.Mode(info), look.Owner(info))
}

func (e *exam) noRing(err error) []report.Line {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return report.OK("%s is not there yet; the first start makes it", e.SecretKeyFile)
	case errors.Is(err, os.ErrPermission):
		return report.Failed("run this as the user that idp runs as; if it is that one: chown it to it", "%s cannot be read by this user", e.SecretKeyFile)
	default:
		return report.Failed("docs/operations.md, Keys and secrets; idp refuses to start", "%v", err)
	}
}

// signingKeys: does each algorithm have a key that signs, and for how long.
func (e *exam) signingKeys(ctx context.Context) []report.Line {
	st, schema, err := e.db()
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && schema.Version == 0:
		return report.OK("none yet; the first start makes them")
	case err != nil:
		return nil // database says why
	}
	rows, err := st.SigningKeys(ctx)
	if err != nil {
		return report.Failed("the line about the database may say why", "cannot be read: %v", err)
	}
	if len(rows) == 0 {
		return report.OK("none yet; the first start makes them")
	}
	ring, err := e.ReadRing(ctx, st)
	if err != nil {
		ring = nil // secret_key says why
	}
	states, err := keys.States(rows, ring, e.Now())
	if err != nil {
		return report.Failed("restore the secret_key_file that belongs to this database", "cannot be opened: %v", err)
	}
	var lines []report.Line
	for _, s := range states {
		lines = append(lines, e.signingKey(s)...)
	}
	return lines
}

func (e *exam) signingKey(s keys.State) []report.Line {
	late := e.Now().Sub(s.Next)
	switch {
	case s.Kid == "":
		return report.Failed("start idp serve: it makes what is missing", "no %s key signs now", s.Algorithm)
	case !s.Coming && late > 24*time.Hour:
		return report.Warning("start idp serve; its log says why it does not rotate", "%s signs since %s and should have been replaced %d days ago", s.Algorithm, report.Day(s.Since), int(late.Hours()/24))
	}
	r := report.OK("%s signs since %s, next key on %s", s.Algorithm, report.Day(s.Since), report.Day(s.Next))
	r[0].Details = map[string]any{"algorithm": s.Algorithm, "kid": s.Kid, "since": s.Since.UTC(), "next": s.Next.UTC(), "next_is_published": s.Coming}
	return r
}
