package doctor

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
func (e *exam) openKeytabs() (*kerberos.Acceptor, error) {
	never := func(context.Context, []byte, time.Time) (bool, error) { return false, nil }
	c := kerberos.Config{Keytabs: e.Kerberos.Keytabs, AllowRC4: e.Kerberos.AllowRC4, Krb5Conf: e.Kerberos.Krb5Conf}
	return kerberos.New(kerberos.Options{Config: c, Seen: never, Log: slog.New(slog.DiscardHandler), Now: e.Now, Resolver: e.Resolver})
}

func (e *exam) readKeytabs() (kerberos.Status, error) {
	a, err := e.acceptor()
	if err != nil {
		return kerberos.Status{}, err
	}
	return a.Status(), nil
}

// nothingRead reports whether no file held a key: the line about keytab says why.
func (e *exam) nothingRead() bool {
	status, err := e.keytabs()
	return err == nil && !slices.ContainsFunc(status.Keytabs, func(f keytab.FileStatus) bool { return len(f.Keys) > 0 })
}

// keytab: what is in each file, whether any of it is of use, and who may read it.
func (e *exam) keytab(context.Context) []report.Line {
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

func (e *exam) keytabFile(f keytab.FileStatus) []report.Line {
	info, err := os.Stat(f.Path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return report.Failed("export one for HTTP/"+e.issuer.Hostname()+" and put it there, or name another under kerberos.keytabs", "%s is not there", f.Path)
	case errors.Is(err, os.ErrPermission) || errors.Is(f.Err, os.ErrPermission):
		return report.Failed("run this as the user that idp runs as; if it is that one: chown it to it", "%s cannot be read by this user", f.Path)
	case err != nil:
		return report.Failed("name a file under kerberos.keytabs", "%s cannot be read: %v", f.Path, err)
	case f.Err != nil:
		return report.Failed("export it again, for HTTP/"+e.issuer.Hostname(), "%s %v", f.Path, strings.TrimPrefix(f.Err.Error(), f.Path+": "))
	}
	var lines []report.Line
	for _, p := range principals(f.Keys) {
		lines = append(lines, e.keytabLine(f.Path, info, p))
	}
	if user := e.runsAs(); closedTo(user, look.Owner(info), info.Mode()) {
		lines = append(lines, report.Warning("chown "+user+" "+f.Path, "%s belongs to %s alone, the database to %s: idp, if it runs as %s, cannot read it", f.Path, look.Owner(info), user, user)...)
	}
	if look.ForOthers(info) {
		lines = append(lines, report.Warning("chmod 0400 "+f.Path, "%s (mode %s, of %s) can be read by everybody on this host: whoever has it can be anybody here", f.Path, look.Mode(info), look.Owner(info))...)
	}
	return lines
}

// principal is the keys of one name, the newest version first.
type principal struct {
	Name     string                  `json:"principal"`
	Versions []uint32                `json:"kvno"`
	Made     time.Time               `json:"made"` // the newest entry
	Keys     map[uint32][]etypeState `json:"keys"`
}

type etypeState struct {
	Name    string `json:"etype"`
	Allowed bool   `json:"allowed"`
}

func principals(keys []keytab.KeyStatus) (list []*principal) {
	for _, k := range keys {
		i := slices.IndexFunc(list, func(p *principal) bool { return p.Name == k.Principal })
		if i < 0 {
			i = len(list)
			list = append(list, &principal{Name: k.Principal, Keys: map[uint32][]etypeState{}})
		}
		p := list[i]
		if k.Made.After(p.Made) {
			p.Made = k.Made
		}
		if _, known := p.Keys[k.KVNO]; !known {
			p.Versions = append(p.Versions, k.KVNO)
		}
		p.Keys[k.KVNO] = append(p.Keys[k.KVNO], etypeState{k.Etype, k.Allowed})
	}
	for _, p := range list {
		slices.SortFunc(p.Versions, func(a, b uint32) int { return int(int64(b) - int64(a)) })
	}
	return list
}

func (e *exam) keytabLine(path string, info os.FileInfo, p *principal) report.Line {
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

// etypes of one version by the names people use; what is not accepted is marked.
func etypes(list []etypeState) string {
	var out []string
	for _, t := range list {
		name := shortEtype(t.Name)
		if !t.Allowed {
			name += " (not accepted)"
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

func shortEtype(name string) string {
	return strings.NewReplacer("-cts-hmac-sha1-96", "", "-cts-hmac-sha256-128", "-sha2", "-cts-hmac-sha384-192", "-sha2", "-hmac", "").Replace(name)
}

// hosts are the host names of the accepted keys, without regard to case as in
// Active Directory.
func hosts(s kerberos.Status) []string { return hostsOf(s, true) }

// hostsOf are those of the keys that are accepted, or that are not.
func hostsOf(s kerberos.Status, accepted bool) (list []string) {
	for _, f := range s.Keytabs {
		for _, k := range f.Keys {
			service, _, _ := strings.Cut(k.Principal, "@")
			_, host, _ := strings.Cut(service, "/")
			host, _, _ = strings.Cut(strings.ToLower(host), "/")
			if k.Allowed == accepted && !slices.Contains(list, host) {
				list = append(list, host)
			}
		}
	}
	return list
}
