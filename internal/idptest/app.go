package idptest

import (
	"crypto/hmac"
	"crypto/sha1" // RFC 6238's
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"testing"
	"time"
)

// App is an authenticator app: it has read the page that sets it up, as the link for
// an app on the same device says it.
type App struct {
	URI  *url.URL
	seed []byte
}

var otpauthRE = regexp.MustCompile(`href="(otpauth://[^"]*)"`)

// NewApp reads the secret on a page.
func NewApp(t testing.TB, p *Page) *App {
	t.Helper()
	m := otpauthRE.FindStringSubmatch(p.Body)
	if m == nil {
		t.Fatalf("%s (%d) sets up no app:\n%s", p.Request.URL.Path, p.StatusCode, p.Body)
	}
	return AppOf(t, html.UnescapeString(m[1]))
}

// AppOf reads the secret in a link.
func AppOf(t testing.TB, link string) *App {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	seed, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(u.Query().Get("secret"))
	if err != nil || len(seed) == 0 {
		t.Fatalf("the secret of %s: %v", u, err)
	}
	return &App{u, seed}
}

// Code is what the app shows at a time.
func (a *App) Code(at time.Time) string {
	h := hmac.New(sha1.New, a.seed)
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(at.Unix()/30)))
	sum := h.Sum(nil)
	at4 := sum[sum[19]&0xf:]
	return fmt.Sprintf("%06d", (binary.BigEndian.Uint32(at4)&0x7fffffff)%1_000_000)
}
