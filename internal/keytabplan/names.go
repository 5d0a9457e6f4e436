package keytabplan

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
)

var (
	hostName    = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$`)
	realmName   = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$`)
	userName    = regexp.MustCompile(`^[a-z_][a-z0-9_.-]{0,31}$`)
	accountName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,19}$`) // Active Directory's sAMAccountName has 20 characters
)

func (r *Request) setDefaults() {
	r.Host = strings.ToLower(r.Host)
	for i, h := range r.Also {
		r.Also[i] = strings.ToLower(h)
	}
	if r.Owner == "" {
		r.Owner = "idp"
	}
	if r.Account == "" {
		label, _, _ := strings.Cut(r.Host, ".")
		r.Account = strings.TrimRight(("idp-" + label)[:min(len("idp-"+label), 20)], "-")
	}
}

func (r *Request) check() error {
	for _, h := range append([]string{r.Host}, r.Also...) {
		if err := checkHost(h); err != nil {
			return err
		}
	}
	switch {
	case r.Realm == "":
		return errors.New("no realm: name yours in the configuration under kerberos.realms, or with --realm")
	case !realmName.MatchString(r.Realm):
		return fmt.Errorf("%q is no realm name: it is usually the domain in capitals, EXAMPLE.COM", r.Realm)
	case !userName.MatchString(r.Owner):
		return fmt.Errorf("%q is no user name: --owner is the user that idp runs as", r.Owner)
	case !accountName.MatchString(r.Account):
		return fmt.Errorf("%q is no account name: up to 20 letters, digits, dots and dashes", r.Account)
	case !filepath.IsAbs(r.Keytab) || strings.ContainsFunc(r.Keytab, unicode.IsControl):
		return fmt.Errorf("%q is no absolute path of a keytab: see kerberos.keytabs", r.Keytab)
	}
	return nil
}

// checkHost refuses what can be in no SPN: Kerberos knows names, not addresses,
// and no ports.
func checkHost(h string) error {
	if _, err := netip.ParseAddr(strings.Trim(h, "[]")); err == nil {
		return fmt.Errorf("%s is an address, and Kerberos knows names only: give issuer a host name", h)
	}
	if len(h) > 253 || !hostName.MatchString(h) {
		return fmt.Errorf("%q is no host name: write it as in the address bar, without scheme and port", h)
	}
	return nil
}

// hosts are all names of the server.
func (r *Request) hosts() []string { return append([]string{r.Host}, r.Also...) }

// spns are the service principal names, without the realm.
func (r *Request) spns() (spns []string) {
	for _, h := range r.hosts() {
		spns = append(spns, "HTTP/"+h)
	}
	return spns
}

// principals are the SPNs with the realm.
func (r *Request) principals() (names []string) {
	for _, s := range r.spns() {
		names = append(names, s+"@"+r.Realm)
	}
	return names
}

// plain needs no quotes in PowerShell and ktutil, plainSh none in sh.
var (
	plain   = regexp.MustCompile(`^[A-Za-z0-9_+:./=-]+$`)
	plainSh = regexp.MustCompile(`^[A-Za-z0-9_+:./=@,-]+$`)
)

// command writes a line for sh: words quoted where they must be.
func command(words ...string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = sh(w)
	}
	return strings.Join(quoted, " ")
}

// sh quotes a word for a POSIX shell.
func sh(word string) string {
	if plainSh.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// powershell quotes a word for PowerShell, where a quote inside is doubled (its
// parser takes typographic quotes for quotes, too).
func powershell(word string) string {
	if plain.MatchString(word) {
		return word
	}
	return "'" + regexp.MustCompile(`['‘’‚‛]`).ReplaceAllString(word, "$0$0") + "'"
}

// ktutil quotes a word of a line that MIT's ktutil reads.
func ktutil(word string) string {
	if plain.MatchString(word) {
		return word
	}
	return `"` + strings.ReplaceAll(word, `"`, `""`) + `"`
}
