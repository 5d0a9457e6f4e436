package factor

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"idp/internal/reason"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/store/storetest"
)

// RFC 6238 Appendix B, the SHA-1 column: eight digits there, of which ours are the
// last six (RFC 4226 §5.3 takes the number modulo a power of ten).
func TestTheVectorsOfTheRFC(t *testing.T) {
	seed := []byte("12345678901234567890")
	for at, want := range map[int64]string{
		59: "94287082", 1111111109: "07081804", 1111111111: "14050471", 1234567890: "89005924", 2000000000: "69279037", 20000000000: "65353130",
	} {
		if got := codeAt(seed, step(time.Unix(at, 0))); got != want[2:] {
			t.Errorf("at %d: %s, want %s", at, got, want[2:])
		}
	}
}

func TestCodesAsPeopleTypeThem(t *testing.T) {
	for typed, want := range map[string]string{
		"123456": "123456", " 123 456 ": "123456", "123-456": "123456", "123\u00a0456": "123456",
		"": "", "12345": "", "1234567": "", "12345a": "", "１２３４５６": "", "+12345": "", "12345\n": "",
	} {
		if got := readCode(secret.String(typed)); got != want {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
	for typed, want := range map[string]string{
		"ABCD-EFGH-JKMN-PQRS": "ABCDEFGHJKMNPQRS", "abcd efgh jkmn pqrs": "ABCDEFGHJKMNPQRS", "abcdefghjkmnpqrs": "ABCDEFGHJKMNPQRS",
		"oiLo-1111-1111-1111": "0110111111111111", "ABCD–EFGH–JKMN–PQRS": "ABCDEFGHJKMNPQRS",
		"": "", "ABCD-EFGH-JKMN-PQR": "", "ABCD-EFGH-JKMN-PQRST": "", "ABCD-EFGH-JKMN-PQR!": "", "UBCD-EFGH-JKMN-PQRS": "",
	} {
		if got := readRecovery(typed); got != want {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
}

type world struct {
	*Factors
	t    *testing.T
	now  time.Time
	user store.User
}

func newWorld(t *testing.T, url string) *world {
	t.Helper()
	w := &world{t: t, now: time.Unix(1_800_000_015, 0)}
	w.Factors = w.node(t, url, secret.NewRing())
	u, err := w.Store.CreateUser(t.Context(), store.User{Name: "alice"}, nil, store.Entry{})
	must(t, err)
	w.user = u
	return w
}

func (w *world) node(t *testing.T, url string, ring *secret.Ring) *Factors {
	t.Helper()
	now := func() time.Time { return w.now }
	f, err := New(t.Context(), Config{Store: storetest.Open(t, store.Config{URL: url, Now: now}), Ring: ring, Now: now})
	must(t, err)
	return f
}

func (w *world) app() (seed []byte) {
	w.t.Helper()
	offer := w.Offer("Example Ltd", "alice", "test")
	_, err := w.Add(w.t.Context(), NewApp{Offer: offer, UserID: w.user.ID, Name: "Phone", Code: secret.String(codeAt(offer.seed, step(w.now)))})
	must(w.t, err)
	w.now = w.now.Add(time.Minute)
	return offer.seed
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func each(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	storetest.EachURL(t, func(t *testing.T, url string) { test(t, newWorld(t, url)) })
}

// A code is good from half a minute before its time to half a minute behind it, once;
// and no earlier one is good behind it.
func TestWhenACodeIsGood(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		seed := w.app()
		for i, c := range []struct {
			off  int64
			want reason.Code
		}{{-2, reason.BadCode}, {2, reason.BadCode}, {-1, ""}, {-1, reason.CodeReplayed}, {0, ""}, {-1, reason.CodeReplayed}, {1, ""}, {0, reason.CodeReplayed}} {
			_, err := w.CheckCode(t.Context(), w.user.ID, secret.String(codeAt(seed, step(w.now)+c.off)))
			if reason.Of(err) != c.want || (err != nil && c.want == "") {
				t.Errorf("%d: code of step %+d: %v, want %q", i, c.off, err, c.want)
			}
		}
	})
}

// The log tells an administrator that a clock is wrong; the visitor is never told, for
// a code of the future must not be recognised.
func TestAWrongClockIsFoundInTheLog(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		seed := w.app()
		for off, words := range map[int64]string{-6: "3m0s slow", 8: "4m0s fast"} {
			_, err := w.CheckCode(t.Context(), w.user.ID, secret.String(codeAt(seed, step(w.now)+off)))
			if reason.Of(err) != reason.BadCode || !strings.Contains(err.Error(), words) {
				t.Errorf("%+d steps: %v, want %s", off, err, words)
			}
		}
	})
}

func TestEachOfTwoAppsIsGood(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		first := w.app()
		offer := w.Offer("x", "alice", "second")
		_, err := w.Add(t.Context(), NewApp{Offer: offer, UserID: w.user.ID, Code: secret.String(codeAt(offer.seed, step(w.now)))})
		must(t, err)
		for _, seed := range [][]byte{first, offer.seed} {
			if _, err := w.CheckCode(t.Context(), w.user.ID, secret.String(codeAt(seed, step(w.now)+1))); err != nil {
				t.Error(err)
			}
		}
		if _, err := w.CheckCode(t.Context(), w.user.ID, secret.String(codeAt(first, step(w.now)+1))); reason.Of(err) != reason.CodeReplayed {
			t.Errorf("used again: %v", err)
		}
	})
}

func TestAnAppIsKeptOnlyWithARightCode(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		offer := w.Offer("x", "alice", "test")
		right := codeAt(offer.seed, step(w.now))
		_, err := w.Add(t.Context(), NewApp{Offer: offer, UserID: w.user.ID, Code: "000000"})
		if right != "000000" && reason.Of(err) != reason.BadCode {
			t.Errorf("a wrong code: %v", err)
		}
		_, err = w.Add(t.Context(), NewApp{Offer: offer, UserID: w.user.ID, Code: secret.String(right)})
		must(t, err)
		if _, err = w.CheckCode(t.Context(), w.user.ID, secret.String(right)); reason.Of(err) != reason.CodeReplayed {
			t.Errorf("the code that set it up is good once more: %v", err)
		}
		have, err := w.Of(t.Context(), w.user.ID)
		if err != nil || len(have.All) != 1 || !have.Codes || strings.Contains(string(have.All[0].Data), string(offer.seed)) {
			t.Errorf("%+v, %v: want one, its secret sealed", have, err)
		}
	})
}

// With a new line in secret_key_file, and then without the old one, apps and recovery
// codes go on being good.
func TestTheKeyFileIsRolledOver(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		w := newWorld(t, url)
		old, next := w.Ring, secret.NewRing()
		seed := w.app()
		codes := w.RecoveryCodes("page")
		must(t, w.PutRecoveryCodes(t.Context(), w.user.ID, codes, store.Entry{}))

		w.node(t, url, both(t, next, old)) // seals all anew
		w.Factors = w.node(t, url, next)
		if _, err := w.CheckCode(t.Context(), w.user.ID, secret.String(codeAt(seed, step(w.now)))); err != nil {
			t.Errorf("the app: %v", err)
		}
		if err := w.UseRecoveryCode(t.Context(), w.user.ID, secret.String(codes[3]), store.Entry{}); err != nil {
			t.Errorf("a recovery code: %v", err)
		}
		if _, err := New(t.Context(), Config{Store: w.Store, Ring: old}); err == nil {
			t.Error("the old line alone opens what the new one has sealed")
		}
	})
}

// both is a file with the line of one ring above that of another.
func both(t *testing.T, first, then *secret.Ring) *secret.Ring {
	t.Helper()
	dir := t.TempDir()
	var text []byte
	for i, r := range []*secret.Ring{first, then} {
		path := filepath.Join(dir, strconv.Itoa(i))
		must(t, r.WriteNew(path))
		line, err := os.ReadFile(path)
		must(t, err)
		text = append(text, line...)
	}
	path := filepath.Join(dir, "both")
	must(t, os.WriteFile(path, text, 0o600))
	ring, err := secret.ReadRing(path)
	must(t, err)
	return ring
}

func TestRecoveryCodesAreGoodOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx, id := t.Context(), w.user.ID
		first, second := w.RecoveryCodes("a"), w.RecoveryCodes("b")
		if len(slices.Compact(slices.Sorted(slices.Values(slices.Concat(first, second))))) != 2*recoveryCodes || !slices.Equal(first, w.RecoveryCodes("a")) {
			t.Fatalf("%s %s: want other codes for another page, and the same for the same", first, second)
		}
		use := func(code string) reason.Code {
			err := w.UseRecoveryCode(ctx, id, secret.String(code), store.Entry{})
			if err != nil && reason.Of(err) == "" {
				t.Fatal(err)
			}
			return reason.Of(err)
		}
		must(t, w.PutRecoveryCodes(ctx, id, first, store.Entry{}))
		if got := use(strings.ToLower(strings.ReplaceAll(first[0], "-", " "))); got != "" {
			t.Errorf("a code as it is typed: %s", got)
		}
		if got := use(first[0]); got != reason.CodeReplayed {
			t.Errorf("the same code again: %q", got)
		}
		must(t, w.PutRecoveryCodes(ctx, id, second, store.Entry{}))
		if got := use(first[1]); got != reason.BadCode {
			t.Errorf("a code of before the new ones: %q", got)
		}
		if now, err := w.AreCurrent(ctx, id, first); now || err != nil {
			t.Errorf("%v, %v: the old codes are current", now, err)
		}
		other, err := w.Store.CreateUser(ctx, store.User{Name: "bob"}, nil, store.Entry{})
		must(t, err)
		if err := w.UseRecoveryCode(ctx, other.ID, secret.String(second[0]), store.Entry{}); reason.Of(err) != reason.BadCode {
			t.Errorf("somebody else's code: %v", err)
		}
	})
}

func TestTheURIThatAppsRead(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		o := w.Offer("Müller & Söhne: IT", "alice@EXAMPLE.COM", "page")
		u, err := url.Parse(o.URI())
		must(t, err)
		q := u.Query()
		if u.Scheme != "otpauth" || u.Host != "totp" || u.Path != "/Müller & Söhne  IT:alice@EXAMPLE.COM" || q.Get("issuer") != "Müller & Söhne  IT" || strings.Contains(u.RawQuery, "+") {
			t.Errorf("%s", o.URI())
		}
		if q.Get("secret") != strings.ReplaceAll(o.Key(), " ", "") || len(q.Get("secret")) != 32 {
			t.Errorf("secret %s, key %s", q.Get("secret"), o.Key())
		}
		if q, err := o.QR(); err != nil || q.Size < 33 || !strings.HasPrefix(q.Path, "M4 4h7v1h-7z") { // the finder pattern's first row, behind the quiet zone
			t.Errorf("%+v, %v", q, err)
		}
	})
}

// One code is checked 64 times at once on two nodes: it is good once.
func TestHoleCodeRace64(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		w := newWorld(t, url)
		seed := w.app()
		codes := w.RecoveryCodes("page")
		must(t, w.PutRecoveryCodes(t.Context(), w.user.ID, codes, store.Entry{}))
		nodes := [2]*Factors{w.Factors, w.node(t, url, w.Ring)}
		right := secret.String(codeAt(seed, step(w.now)))
		for name, check := range map[string]func(f *Factors) error{
			"code": func(f *Factors) error {
				_, err := f.CheckCode(t.Context(), w.user.ID, right)
				return err
			},
			"recovery code": func(f *Factors) error {
				return f.UseRecoveryCode(t.Context(), w.user.ID, secret.String(codes[0]), store.Entry{})
			},
		} {
			var good, replayed atomic.Int64
			var all sync.WaitGroup
			for i := range 64 {
				all.Go(func() {
					switch err := check(nodes[i%2]); {
					case err == nil:
						good.Add(1)
					case reason.Of(err) == reason.CodeReplayed:
						replayed.Add(1)
					default:
						t.Errorf("%s: %v", name, err)
					}
				})
			}
			all.Wait()
			if good.Load() != 1 || replayed.Load() != 63 {
				t.Errorf("%s: good %d times, replayed %d; want 1 and 63", name, good.Load(), replayed.Load())
			}
		}
	})
}
