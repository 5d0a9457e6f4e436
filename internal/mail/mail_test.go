package mail

import (
	"bytes"
	"context"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"idp/internal/audit"
	"idp/internal/mail/mailtest"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/store/storetest"
)

// world is a mail server, a database whose people are told, and what sends.
type world struct {
	*store.Store
	t    *testing.T
	smtp *mailtest.Server
	ring *secret.Ring
	log  *lines
	mail *Mail
}

type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.buf.Write(p) }
func (l *lines) String() string              { l.mu.Lock(); defer l.mu.Unlock(); return l.buf.String() }

func eachWorld(t *testing.T, test func(w *world)) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		w := &world{t: t, smtp: mailtest.Start(t), ring: secret.NewRing(), log: &lines{}}
		w.Store = storetest.Open(t, store.Config{URL: url, Mail: true})
		sender := w.sender(func(*Config) {})
		var err error
		w.mail, err = New(Options{Store: w.Store, Ring: w.ring, Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Sender: func() *Sender { return sender }})
		if err != nil {
			t.Fatal(err)
		}
		w.mail.delay = func(int64) time.Duration { return 0 } // due again at once
		test(w)
	})
}

func (w *world) sender(change func(*Config)) *Sender {
	w.t.Helper()
	c := Config{Host: "localhost", Port: w.smtp.Port, CAFile: w.smtp.CAFile, Username: "idp", PasswordFile: "-", From: "sso@example.com"}
	change(&c)
	s, err := NewSender(c, mailtest.Password, About{Company: "Größe & Söhne\r\nBcc: eve@example.com", Issuer: &url.URL{Scheme: "https", Host: "sso.example.com"}, Help: "https://help.example.com"})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) user(name, email string) store.User {
	w.t.Helper()
	u, err := w.CreateUser(w.t.Context(), store.User{Name: name, Email: email}, nil, store.Entry{Actor: "test"})
	if err != nil {
		w.t.Fatal(err)
	}
	return u
}

func (w *world) changed(u store.User) {
	w.t.Helper()
	if err := w.SetPassword(w.t.Context(), u.ID, "$new", store.Entry{Actor: "cli:root", Address: "192.0.2.7"}); err != nil {
		w.t.Fatal(err)
	}
}

// once makes one attempt at everything that is due.
func (w *world) once() {
	w.t.Helper()
	claimed, err := w.ClaimMails(w.t.Context(), 100, lease)
	if err == nil {
		err = w.mail.send(w.t.Context(), w.mail.Sender(), claimed)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) waiting() int {
	w.t.Helper()
	claimed, err := w.ClaimMails(w.t.Context(), 100, -time.Second) // due again at once
	if err != nil {
		w.t.Fatal(err)
	}
	return len(claimed)
}

// The person is told of a new password by the transaction that sets it, encrypted, and
// once; nobody who has no address is.
func TestPeopleAreToldOfChanges(t *testing.T) {
	eachWorld(t, func(w *world) {
		bob := w.user("bob", "bob@example.com")
		w.changed(bob)
		w.changed(w.user("nobody", ""))
		ctx, cancel := context.WithCancel(w.t.Context())
		done := make(chan error)
		go func() { done <- w.mail.Run(ctx) }()
		got := w.smtp.Await(1)
		w.changed(bob) // wakes it
		got = w.smtp.Await(len(got) + 1)
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
		m := got[0]
		if len(got) != 2 || !m.TLS || m.Login != "idp" || m.From != "sso@example.com" || len(m.To) != 1 || m.To[0] != "bob@example.com" {
			w.t.Errorf("%d, %+v", len(got), m)
		}
		for _, words := range []string{"your password was changed", "bob", "an administrator", "192.0.2.7", "Größe & Söhne", "https://sso.example.com", "https://help.example.com"} {
			if !strings.Contains(m.Text, words) {
				w.t.Errorf("%q is not in\n%s", words, m.Text)
			}
		}
		if n := w.waiting(); n != 0 {
			w.t.Errorf("%d wait", n)
		}
	})
}

// What is told, and to which address: the old one hears of the new one.
func TestTheOldAddressIsToldOfTheNewOne(t *testing.T) {
	eachWorld(t, func(w *world) {
		bob := w.user("bob", "before@example.com")
		bob.FullName = "Bob"
		must := func(err error) {
			w.t.Helper()
			if err != nil {
				w.t.Fatal(err)
			}
		}
		must(w.UpdateUser(w.t.Context(), bob, store.Entry{Actor: "cli:root"})) // no mail: the address stays
		now, err := w.UserByID(w.t.Context(), bob.ID)
		must(err)
		now.Email = "after@example.com"
		must(w.UpdateUser(w.t.Context(), *now, store.Entry{Actor: "cli:root"}))
		must(w.SetProfile(w.t.Context(), bob.ID, "Bob", "third@example.com", nil, store.Entry{Actor: "directory"}))
		must(w.LinkIdentity(w.t.Context(), store.Identity{Source: "upstream:x", Key: "1", UserID: bob.ID}, store.Entry{Actor: "bob"}))
		must(w.RekeyIdentity(w.t.Context(), "upstream:x", "1", "2", store.Entry{Actor: audit.ActorServer})) // of the server itself: none
		must(w.UnlinkIdentity(w.t.Context(), store.Identity{Source: "upstream:x", Key: "2", UserID: bob.ID}, store.Entry{Actor: "bob"}))
		for _, event := range []string{"factor_added", "factor_removed", "factors_reset", "recovery_codes_made", "recovery_code_used", "sessions_ended"} {
			must(w.Audit(w.t.Context(), store.Entry{Event: event, UserID: bob.ID, Actor: "bob"}))
		}
		must(w.Audit(w.t.Context(), store.Entry{Event: audit.Login, UserID: bob.ID, Actor: "bob"}))
		w.once()
		to := map[string]int{}
		for _, m := range w.smtp.Messages() {
			to[m.To[0]]++
			if strings.Contains(m.Text, "something about") {
				w.t.Errorf("an event without words:\n%s", m.Text)
			}
		}
		if len(to) != 3 || to["before@example.com"] != 1 || to["after@example.com"] != 1 || to["third@example.com"] != 8 {
			w.t.Errorf("%v", to)
		}
	})
}

// Mail waits for a server that is down, and is sent when it is back; one line in the log
// for each attempt.
func TestMailWaitsForItsServer(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.changed(w.user("bob", "bob@example.com"))
		w.smtp.Stop()
		w.once()
		w.once()
		if n := strings.Count(w.log.String(), "mail could not be sent"); n != 2 {
			w.t.Errorf("%d lines\n%s", n, w.log)
		}
		w.smtp.Restart()
		w.once()
		if got := w.smtp.Messages(); len(got) != 1 || w.waiting() != 0 {
			w.t.Errorf("%+v\n%s", got, w.log)
		}
	})
}

// A mail that its server refuses for good, or whose time is over, is given up with an
// audit entry; "come back later" is not for good.
func TestMailIsGivenUp(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.changed(w.user("refused", "refused@example.com"))
		w.changed(w.user("bob", "bob@example.com"))
		w.changed(w.user("later", "later@example.com"))
		w.once()
		if got := w.smtp.Messages(); len(got) != 1 || got[0].To[0] != "bob@example.com" { // one that is refused does not stop the next
			w.t.Errorf("%+v", got)
		}
		entries, err := w.Entries(w.t.Context(), store.Filter{Event: audit.MailGivenUp})
		if err != nil || len(entries) != 1 || !strings.Contains(entries[0].Detail, "no such user") || w.waiting() != 1 {
			w.t.Errorf("%+v %v\n%s", entries, err, w.log)
		}
		w.mail.delay = func(int64) time.Duration { return 4 * 24 * time.Hour }
		w.once()
		if entries, err = w.Entries(w.t.Context(), store.Filter{Event: audit.MailGivenUp}); err != nil || len(entries) != 2 || w.waiting() != 0 {
			w.t.Errorf("%+v %v\n%s", entries, err, w.log)
		}
	})
}

// Two nodes send nothing twice.
func TestTwoNodesSendEachMailOnce(t *testing.T) {
	eachWorld(t, func(w *world) {
		bob := w.user("bob", "bob@example.com")
		for range 12 {
			w.changed(bob)
		}
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if err := w.mail.round(w.t.Context()); err != nil {
					w.t.Error(err)
				}
			})
		}
		all.Wait()
		ids := map[string]bool{}
		for _, m := range w.smtp.Messages() {
			ids[m.Header.Get("Message-Id")] = true
		}
		if got := w.smtp.Messages(); len(got) != 12 || len(ids) != 12 {
			w.t.Errorf("%d messages, %d ids", len(got), len(ids))
		}
	})
}

// Whoever cannot prove to be the mail server gets nothing.
func TestHoleMailToWhoeverAnswers(t *testing.T) {
	eachWorld(t, func(w *world) {
		letter := Letter{ID: "1", To: "bob@example.com", Subject: "s", Text: "t"}
		plain := mailtest.StartPlain(w.t)
		for name, s := range map[string]*Sender{
			"a certificate nobody vouches for": w.sender(func(c *Config) { c.CAFile = "" }),
			"no STARTTLS":                      w.sender(func(c *Config) { c.Port, c.Username, c.PasswordFile = plain.Port, "", "" }),
			"implicit TLS, spoken to in clear": w.sender(func(c *Config) { c.Port, c.TLS = plain.Port, Implicit }),
		} {
			if err := s.Send(w.t.Context(), letter)[0]; err == nil {
				w.t.Errorf("%s: sent", name)
			}
		}
		if len(w.smtp.Messages()) != 0 || len(plain.Messages()) != 0 {
			w.t.Error("mail has arrived")
		}
		inside := w.sender(func(c *Config) { c.Port, c.TLS, c.Username, c.PasswordFile = plain.Port, NoTLS, "", "" })
		if err := inside.Send(w.t.Context(), letter)[0]; err != nil || len(plain.Messages()) != 1 {
			w.t.Errorf("none, on this machine: %v", err)
		}
	})
}

// What people or the company are called ends up in no header of its own, and adds no
// recipient.
func TestHoleMailHeaderInjection(t *testing.T) {
	eachWorld(t, func(w *world) {
		for i, address := range []string{"bob@example.com\r\nBcc: eve@example.com", "bob@example.com, eve@example.com", "Bob <bob@example.com>", "<bob@example.com>",
			"\"a\r\nBcc: eve@example.com\"@example.com", "bob@example.com>\r\nRCPT TO:<eve@example.com", "bob@", "@example.com", "bob", "bob@exa mple.com", "\"bob eve\"@example.com",
			"bob@example.com\x00", strings.Repeat("b", 250) + "@example.com", "bob@example.com\u2028"} {
			if _, err := CheckAddress(address); err == nil {
				w.t.Errorf("%q is an address", address)
			}
			if !strings.Contains(address, "\x00") {
				w.changed(w.user(string(rune('a'+i)), address))
			}
		}
		w.changed(w.user("good", "o'brien+sso@example.com"))
		w.once()
		got := w.smtp.Messages()
		if len(got) != 1 || got[0].To[0] != "o'brien+sso@example.com" || len(got[0].To) != 1 {
			w.t.Fatalf("%+v", got)
		}
		for name := range got[0].Header { // the company's name has a line break in it
			switch name {
			case "From", "To", "Subject", "Date", "Message-Id", "Mime-Version", "Content-Type", "Content-Transfer-Encoding", "Auto-Submitted":
			default:
				w.t.Errorf("a header %s:\n%s", name, got[0].Source)
			}
		}
	})
}

// A link waits sealed: whoever reads the database cannot open it, nor another row it.
func TestHoleLinksInTheDatabase(t *testing.T) {
	eachWorld(t, func(w *world) {
		bob := w.user("bob", "bob@example.com")
		l := store.Link{Hash: []byte("h"), UserID: bob.ID, Purpose: store.LinkInvitation, Email: bob.Email, CreatedAt: w.Now(), ExpiresAt: w.Now() + 3600_000}
		m := LinkMail(w.ring, l, "https://sso.example.com/invitation?token=let-me-in")
		if strings.Contains(m.Data, "let-me-in") {
			w.t.Error("the row has the link")
		}
		moved := *m
		moved.ID = secret.ID()
		if _, err := w.sender(func(*Config) {}).letter(w.ring, moved, &bob); err == nil {
			w.t.Error("another row opens it")
		}
		if err := w.CreateLink(w.t.Context(), l, m, store.Entry{Actor: "cli:root"}); err != nil {
			w.t.Fatal(err)
		}
		w.once()
		if got := w.smtp.Messages(); len(got) != 1 || !strings.Contains(got[0].Text, "\nhttps://sso.example.com/invitation?token=let-me-in\n") || !strings.Contains(got[0].Text, "Your name there: bob") {
			w.t.Errorf("%+v", got)
		}
		if strings.Contains(w.log.String(), "let-me-in") {
			w.t.Error("the log has the link")
		}
	})
}

func TestSectionsThatCannotBe(t *testing.T) {
	good := Config{Host: "mail.example.com", From: "sso@example.com"}
	if p := good.Problems(); p != nil || len((Config{}).Problems()) != 0 {
		t.Errorf("%+v", p)
	}
	for key, c := range map[string]Config{
		"host": {From: "a@example.com"}, "host ": {Host: "mail.example.com:25", From: "a@example.com"}, "port": {Host: "m", From: "a@b", Port: 70000},
		"tls": {Host: "m", From: "a@b", TLS: "ssl"}, "tls ": {Host: "mail.example.com", From: "a@b", TLS: NoTLS}, "from": {Host: "m"}, "from ": {Host: "m", From: "a@b\r\nBcc: c@d"},
		"username": {Host: "m", From: "a@b", Username: "u"},
	} {
		if p := c.Problems(); len(p) != 1 || p[0].Key != strings.TrimSpace(key) {
			t.Errorf("%s: %+v", key, p)
		}
	}
	if (Config{Host: "127.0.0.1", From: "a@b", TLS: NoTLS}).Problems() != nil {
		t.Error("none on loopback")
	}
}
