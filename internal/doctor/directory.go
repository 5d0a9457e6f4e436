package doctor

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"idp/internal/directory"
	"idp/internal/doctor/look"
	"idp/internal/doctor/report"
)

// directory asks each server of the section ldap as a login does, up to the question
// whether any person is to be seen there.
func (e *exam) directory(ctx context.Context) (lines []report.Line) {
	if e.Directory == nil || !e.Directory.Configured() {
		return nil
	}
	d, err := directory.New(*e.Directory)
	if err != nil {
		if len(e.Directory.Problems()) > 0 {
			return nil // the line about config says so
		}
		return report.Failed("ldap.ca_file: the PEM certificate of the authority that signed the directory's", "ldap: %v", err)
	}
	defer d.Close()
	probes := d.Probe(ctx, look.PerAsk)
	works := false
	for _, p := range probes {
		works = works || p.Err == nil && p.Anybody
	}
	for _, p := range probes {
		r := e.judgeProbe(p)
		if r.Level == report.LevelFailed && works { // another one takes over
			r.Level = report.LevelWarning
		}
		lines = append(lines, r)
	}
	return lines
}

func (e *exam) judgeProbe(p directory.Probe) report.Line {
	base := e.Directory.Base
	bad := func(level report.Level, hint, format string, args ...any) report.Line {
		return report.Line{Level: level, Hint: hint, Text: fmt.Sprintf(format, args...)}
	}
	switch left := p.Until.Sub(e.Now()); {
	case p.Err != nil:
		return bad(report.LevelFailed, e.mendProbe(p), "%v", p.Err)
	case !p.Anybody:
		return bad(report.LevelFailed, "does "+who(e.Directory.BindDN)+" have the right to read people there? else ldap.filter is too narrow, or ldap.base another branch",
			"%s: no person is to be seen below %s", p.Server, base)
	case left < expiresSoon:
		return bad(report.LevelWarning, "renew it: idp does not ask a server whose certificate is over", "%s: its certificate is good until %s only", p.Server, report.Day(p.Until))
	}
	return report.Line{Level: report.LevelOK, Text: fmt.Sprintf("%s answers (%dms), its certificate is good until %s; people are to be seen below %s", p.Server, p.Took.Milliseconds(), report.Day(p.Until), base)}
}

// mendProbe is what mends a step that failed.
func (e *exam) mendProbe(p directory.Probe) string {
	var stranger x509.UnknownAuthorityError
	var name x509.HostnameError
	var expired x509.CertificateInvalidError
	starttls := ""
	if strings.Contains(e.Directory.URL, "ldap://"+p.Server) || strings.HasSuffix(p.Server, ":389") {
		starttls = " -starttls ldap"
	}
	show := "openssl s_client -connect " + p.Server + starttls + " -showcerts </dev/null"
	err := error(p.Err)
	switch {
	case errors.As(err, &stranger):
		return "put the certificate of the authority that signed it into a file and name it under ldap.ca_file; " + show + " shows what the server sends"
	case errors.As(err, &name):
		return "use a name in ldap.url that the certificate has: " + strings.Join(namesOf(name.Certificate), ", ")
	case errors.As(err, &expired):
		return "renew the server's certificate; " + show + " shows it"
	case p.Err.Refused():
		return "ldap.bind_dn, or the password in ldap.password_file, is not what the directory has; so says ldapwhoami -x -H URL -D '" + e.Directory.BindDN + "' -y FILE"
	case p.Err.BaseMissing():
		return "ldap.base: the server has " + strings.Join(p.Contexts, ", ")
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission):
		return "ldap.password_file: the password of ldap.bind_dn on the first line of a file that idp's user can read"
	case p.Err.Step == "StartTLS":
		return "the server does not offer TLS there: give it a certificate, or use ldaps:// if it has one at another port"
	case p.Err.Step == "TLS":
		return show + " shows what the server says; the port of ldaps:// is 636, of ldap:// 389"
	}
	return "is it running, is the name right, does a firewall let this host reach it? Meanwhile tickets count, and nothing is extended beyond them"
}

func namesOf(c *x509.Certificate) []string {
	list := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		list = append(list, ip.String())
	}
	return list
}

func who(bindDN string) string {
	if bindDN == "" {
		return "whoever asks without a name"
	}
	return bindDN
}
