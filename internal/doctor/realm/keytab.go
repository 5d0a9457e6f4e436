package realm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"idp/internal/doctor/look"
	"idp/internal/doctor/report"
	"idp/internal/kerberos"
	"idp/internal/kerberos/keytab"
)

// openKeytabs makes an acceptor with what it needs to open tickets and to ask
// KDCs for its own. Mistakes elsewhere in the section must not hide that, so it
// gets nothing else of it.
func (e *Exam) openKeytabs() (*kerberos.Acceptor, error) {
	never := func(context.Context, []byte, time.Time) (bool, error) { return false, nil }
	c := kerberos.Config{Keytabs: e.Kerberos.Keytabs, AllowRC4: e.Kerberos.AllowRC4, Krb5Conf: e.Kerberos.Krb5Conf}
	return kerberos.New(kerberos.Options{Config: c, Seen: never, Log: slog.New(slog.DiscardHandler), Now: e.Now, Resolver: e.Network.Resolver})
}

func (e *Exam) readKeytabs() (kerberos.Status, error) {
	a, err := e.acceptor()
	if err != nil {
		return kerberos.Status{}, err
	}
	return a.Status(), nil
}

// nothingRead reports whether no file held a key: the line about keytab says why.
func (e *Exam) nothingRead() bool {
	status, err := e.keytabs()
	return err == nil && !slices.ContainsFunc(status.Keytabs, func(f keytab.FileStatus) bool { return len(f.Keys) > 0 })
}

// Keytab tells what is in each file, whether any of it is of use, and who may read it.
func (e *Exam) Keytab(context.Context) []report.Line {
	if e.Kerberos == nil {
		return report.OK("no kerberos section: nobody is asked for a ticket")
	}
	status, err := e.keytabs()
	if err != nil {
		return report.Failed("mend what the lines about config say", "%v", err)
	}
	if len(status.Keytabs) == 0 {
		return report.Failed("name a file under kerberos.keytabs; docs/operations.md says how to make it", "no keytab is named: no ticket can be opened")
	}
	var lines []report.Line
	for _, file := range status.Keytabs {
		lines = append(lines, e.keytabFile(file)...)
	}
	return lines
}

func (e *Exam) keytabFile(f keytab.FileStatus) []report.Line {
	info, err := os.Stat(f.Path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return report.Failed("export one for HTTP/"+e.Issuer.Hostname()+" and put it there, or name another under kerberos.keytabs", "%s is not there", f.Path)
	case errors.Is(err, os.ErrPermission) || errors.Is(f.Err, os.ErrPermission):
		return report.Failed("run this as the user that idp runs as; if it is that one: chown it to it", "%s cannot be read by this user", f.Path)
	case err != nil:
		return report.Failed("name a file under kerberos.keytabs", "%s cannot be read: %v", f.Path, err)
	case f.Err != nil:
		return report.Failed("export it again, for HTTP/"+e.Issuer.Hostname(), "%s %v", f.Path, strings.TrimPrefix(f.Err.Error(), f.Path+": "))
	}
	var lines []report.Line
	for _, p := range principals(f.Keys) {
		lines = append(lines, e.keytabLine(f.Path, info, p))
	}
	if user := e.RunsAs(); closedTo(user, look.Owner(info), info.Mode()) {
		lines = append(lines, report.Warning("chown "+user+" "+f.Path, "%s belongs to %s alone, the database to %s: idp, if it runs as %s, cannot read it", f.Path, look.Owner(info), user, user)...)
	}
	if look.ForOthers(info) {
		lines = append(lines, report.Warning("chmod 0400 "+f.Path, "%s (mode %s, of %s) can be read by everybody on this host: whoever has it can be anybody here", f.Path, look.Mode(info), look.Owner(info))...)
	}
	return lines
}

func (e *Exam) keytabLine(path string, info os.FileInfo, p *principal) report.Line {
	var versions []string
	for _, v := range p.Versions {
		versions = append(versions, fmt.Sprintf("kvno %d, %s", v, etypes(p.Keys[v])))
	}
	made := p.Made
	if made.IsZero() { // some programs do not write it
		made = info.ModTime()
	}
	r := report.Line{Level: report.LevelOK, Details: map[string]any{"file": path, "principal": p.Name, "keys": p.Keys, "made": made.UTC(), "modified": info.ModTime().UTC(), "mode": look.Mode(info), "owner": look.Owner(info)},
		Text: fmt.Sprintf("%s: %s %s; %s", path, p.Name, strings.Join(versions, "; "), age(e.Now().Sub(made)))}
	newest := p.Keys[p.Versions[0]]
	_, realm, _ := strings.Cut(p.Name, "@")
	switch {
	case !slices.ContainsFunc(newest, func(t etypeState) bool { return t.Allowed }):
		r.Level = report.LevelFailed
		r.Text += ": no AES key, and none of these is accepted"
		r.Hint = useAES(p.Name)
	case !slices.ContainsFunc(newest, func(t etypeState) bool { return strings.HasPrefix(t.Name, "aes") }):
		r.Level = report.LevelWarning
		r.Text += ": accepted because allow_rc4 is set; KDCs are giving RC4 up"
		r.Hint = useAES(p.Name) + "; then take kerberos.allow_rc4 out"
	case !slices.ContainsFunc(e.Kerberos.Realms, func(t kerberos.Realm) bool { return t.Name == realm }):
		r.Level = report.LevelWarning
		r.Text += ": its realm is not trusted, so its own people are refused"
		r.Hint = "kerberos: realms: [{name: " + realm + "}]"
	}
	return r
}

// closedTo reports whether a file of owner is certainly not for user to read.
func closedTo(user, owner string, m os.FileMode) bool {
	return user != "" && user != "root" && user != owner && m.Perm()&0o044 == 0
}

// age is how long ago something was, as people say it.
func age(since time.Duration) string {
	switch days := int(since.Hours() / 24); {
	case since < 0:
		return "dated in the future"
	case days >= 2:
		return fmt.Sprintf("%d days old", days)
	case since >= 2*time.Hour:
		return fmt.Sprintf("%d hours old", int(since.Hours()))
	default:
		return fmt.Sprintf("%d minutes old", int(since.Minutes()))
	}
}
