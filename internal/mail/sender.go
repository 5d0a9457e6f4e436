package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode"

	gomail "github.com/wneessen/go-mail"

	"idp/internal/secret"
)

const (
	sendTimeout = 15 * time.Second // a step of the conversation with the mail server
	maxAddress  = 254              // bytes: RFC 5321 §4.5.3.1.3, without its brackets
)

// ErrAddress means that mail cannot be sent to an address, now or later.
var ErrAddress = errors.New("not an address that mail can be sent to")

// errRefused means that the mail server does not take this mail, and will not.
var errRefused = errors.New("refused")

// About says who writes.
type About struct {
	Company string
	Issuer  *url.URL
	Help    string // address of the company's help page; may be empty
}

// Sender sends by the mail server of a configuration. Safe for concurrent use.
type Sender struct {
	config  Config
	about   About
	from    *mail.Address
	options []gomail.Option
}

// NewSender makes a Sender; password is of Username. Nil where there is no mail server.
func NewSender(c Config, password secret.String, about About) (*Sender, error) {
	if !c.On() {
		return nil, nil //nolint:nilnil // no mail server is an answer, not an error
	}
	for _, p := range c.Problems() {
		return nil, fmt.Errorf("smtp.%s %s", p.Key, p.Text)
	}
	s := &Sender{config: c, about: about}
	s.about.Company = oneLine(about.Company)
	var err error
	if s.from, err = mail.ParseAddress(c.From); err != nil {
		return nil, fmt.Errorf("smtp.from: %w", err)
	}
	if s.from.Name == "" {
		s.from.Name = s.about.Company
	}
	encrypted := &tls.Config{ServerName: c.Host, MinVersion: tls.VersionTLS12}
	if c.CAFile != "" {
		if encrypted.RootCAs, err = readPool(c.CAFile); err != nil {
			return nil, fmt.Errorf("smtp.ca_file: %w", err)
		}
	}
	s.options = []gomail.Option{gomail.WithPort(c.port()), gomail.WithTimeout(sendTimeout), gomail.WithHELO(hello(about.Issuer.Hostname())), gomail.WithTLSConfig(encrypted)}
	switch c.TLS {
	case Implicit:
		s.options = append(s.options, gomail.WithSSL())
	case NoTLS:
		s.options = append(s.options, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		s.options = append(s.options, gomail.WithTLSPolicy(gomail.TLSMandatory)) // never in clear because somebody on the way says so (RFC 8314 §4)
	}
	if c.Username != "" {
		s.options = append(s.options, gomail.WithUsername(c.Username), gomail.WithPassword(password.Reveal()), gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover))
	}
	return s, nil
}

func readPool(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path) //nolint:gosec // the admin names the file
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("no certificate in PEM")
	}
	return pool, nil
}

// Letter is one mail: plain text.
type Letter struct{ ID, To, Subject, Text string }

// Send sends letters over one connection, and returns what came of each; nil: the
// server has it.
func (s *Sender) Send(ctx context.Context, letters ...Letter) []error {
	results := make([]error, len(letters))
	client, err := gomail.NewClient(s.config.Host, s.options...)
	if err == nil {
		err = client.DialWithContext(ctx)
	}
	if err != nil {
		for i := range results {
			results[i] = fmt.Errorf("the mail server %s cannot be used: %w", s.config.Host, err)
		}
		return results
	}
	defer client.Close() //nolint:errcheck // the server has what it has taken
	for i, l := range letters {
		if results[i] = ctx.Err(); results[i] == nil {
			results[i] = s.send(client, l)
		}
	}
	return results
}

func (s *Sender) send(client *gomail.Client, l Letter) error {
	message, err := s.message(l)
	if err != nil {
		return err
	}
	err = client.Send(message)
	var refused *gomail.SendError
	if errors.As(err, &refused) && !refused.IsTemp() && refused.ErrorCode() >= 500 {
		switch refused.Reason { // the sender, or how we log in, may be mended; the address or the text not
		case gomail.ErrSMTPRcptTo, gomail.ErrSMTPData, gomail.ErrSMTPDataClose:
			return fmt.Errorf("%w: %w", errRefused, err)
		}
	}
	return err
}

// message is a letter as it is sent. What comes from people is in its text only.
func (s *Sender) message(l Letter) (*gomail.Msg, error) {
	to, err := CheckAddress(l.To)
	if err != nil {
		return nil, err
	}
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithEncoding(gomail.EncodingQP))
	m.FromMailAddress(s.from)
	m.ToMailAddress(&mail.Address{Address: to})
	m.Subject(oneLine(l.Subject))
	m.SetDate()
	m.SetMessageIDWithValue(l.ID + "@" + s.about.Issuer.Hostname()) // the same when it is sent again
	m.SetGenHeader("Auto-Submitted", "auto-generated")              // RFC 3834 §5: nobody answers by themselves
	m.SetBodyString(gomail.TypeTextPlain, l.Text)
	return m, nil
}

// CheckAddress returns a mail address as it is put into a header: nothing but the
// address (RFC 5321 §4.1.2), whatever somebody has written into the profile.
func CheckAddress(text string) (string, error) {
	parsed, err := mail.ParseAddress(text)
	if err != nil || parsed.Address != text || len(text) > maxAddress || strings.ContainsFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r) || strings.ContainsRune(`<>",;`, r)
	}) {
		return "", ErrAddress
	}
	return parsed.Address, nil
}

// oneLine is a text without what could end a header.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
}
