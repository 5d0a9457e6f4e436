package kerberos

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

func TestConfigWithEveryKeyParses(t *testing.T) {
	const text = `
keytabs: [http.keytab]
krb5_conf: /etc/krb5.conf
realms:
  - name: EXAMPLE.COM
    groups: {S-1-5-21-1-2-3-1104: finance}
    case: insensitive
    transited: checked
    netbios: EXAMPLE
    upn_suffixes: [example.org]
offer_to: [127.0.0.0/8, "::1/128", 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, "fc00::/7"]
fallback: basic
basic_realm: Example Ltd
password_from_outside: false
max_failures: 3
channel_binding: allow
channel_binding_certificates: []
allow_rc4: false
services: {HTTP/robot.example.com@EXAMPLE.COM: robot}
`
	var c Config
	must(t, yaml.UnmarshalWithOptions([]byte(text), &c, yaml.Strict()))
	if p := c.Problems(); len(p) != 0 {
		t.Errorf("problems: %v", p)
	}
	d := DefaultConfig()
	if diff := cmp.Diff(d.OfferTo, c.OfferTo, cmp.Comparer(func(x, y interface{ String() string }) bool { return x.String() == y.String() })); diff != "" {
		t.Error(diff)
	}
	if c.Realms[0].Groups["S-1-5-21-1-2-3-1104"] != "finance" || c.MaxFailures != d.MaxFailures || c.Keytabs[0] != d.Keytabs[0] {
		t.Errorf("config = %+v", c)
	}
}

func TestConfigReportsEveryProblemAtOnce(t *testing.T) {
	c := Config{
		Fallback: "digest", ChannelBinding: "maybe", MaxFailures: -1, BasicRealm: "a\"\r\nSet-Cookie: x",
		Realms: []Realm{
			{Name: "A.TEST", Case: "upper"}, {Name: "A.TEST", Transited: "no"},
			{Name: ""}, {Name: "B.TEST", Groups: map[string]string{"finance": "finance"}},
			{Name: "C.TEST", NetBIOS: "a.test", UPNSuffixes: []string{"c.example", "c/example", "C.example"}},
		},
		Services:                   map[string]string{"robot": "robot"},
		ChannelBindingCertificates: []string{"/nowhere/proxy.crt"},
	}
	want := []string{
		"$.kerberos.fallback", "$.kerberos.channel_binding", "$.kerberos.max_failures", "$.kerberos.basic_realm",
		"$.kerberos.realms[0].case", "$.kerberos.realms[1].name", "$.kerberos.realms[1].transited",
		"$.kerberos.realms[2].name", "$.kerberos.realms[3].groups",
		"$.kerberos.realms[4].netbios", "$.kerberos.realms[4].upn_suffixes[1]", "$.kerberos.realms[4].upn_suffixes[2]", "$.kerberos.services",
		"$.kerberos.channel_binding_certificates",
	}
	var got []string
	for _, err := range c.Problems() {
		var e *ConfigError
		if !errors.As(err, &e) || e.Hint == "" {
			t.Errorf("%v is no ConfigError with a hint", err)
			continue
		}
		got = append(got, e.Path)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestEndPointHashUsesTheSignaturesAlgorithm(t *testing.T) {
	for alg, sum := range map[x509.SignatureAlgorithm]func([]byte) []byte{
		x509.ECDSAWithSHA256: func(b []byte) []byte { h := sha256.Sum256(b); return h[:] },
		x509.ECDSAWithSHA384: func(b []byte) []byte { h := sha512.Sum384(b); return h[:] },
		x509.ECDSAWithSHA512: func(b []byte) []byte { h := sha512.Sum512(b); return h[:] },
	} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(t, err)
		tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), SignatureAlgorithm: alg}
		der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
		must(t, err)
		file := filepath.Join(t.TempDir(), "proxy.crt")
		must(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
		got, err := certificateBindings([]string{file})
		must(t, err)
		if len(got) != 1 || !bytes.Equal(got[0], sum(der)) {
			t.Errorf("%s: %x", alg, got)
		}
	}
}
