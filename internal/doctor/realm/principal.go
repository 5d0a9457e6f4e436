package realm

import (
	"slices"
	"strings"
	"time"

	"idp/internal/kerberos"
	"idp/internal/kerberos/keytab"
)

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
