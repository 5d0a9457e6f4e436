package server

import (
	"context"
	"net/url"
	"time"

	"idp/internal/config"
	"idp/internal/login"
	"idp/internal/mail"
	"idp/internal/secret"
	"idp/internal/store"
)

// Sender is what sends the mail of a configuration; nil: it names no mail server.
func Sender(c *config.Config) (*mail.Sender, error) {
	var password secret.String
	if c.SMTP.PasswordFile != "" {
		var err error
		if password, err = config.ReadSecret(c.SMTP.PasswordFile); err != nil {
			return nil, err
		}
	}
	return mail.NewSender(c.SMTP, password, mail.About{Company: c.Brand.Name, Issuer: c.IssuerURL(), Help: c.Brand.Help})
}

// mailer sends by the running generation's mail server. It lives as long as the
// process, as backchannel does.
func (s *Server) mailer() (*mail.Mail, error) {
	return mail.New(mail.Options{Store: s.store, Ring: s.ring, Log: s.log, Sender: func() *mail.Sender { return s.current.Load().sender }})
}

// MadeLink is a new one-time link.
type MadeLink struct {
	URL    secret.String // to be handed on; empty: it was mailed
	Mailed string        // the address that it goes to; empty: none
	Until  time.Time
}

// MakeLink makes a link for a user's first (store.LinkInvitation) or new password
// (store.LinkReset), in place of earlier ones. It is mailed where there is a mail
// server, the user has an address, and hand does not say that it is to be handed on:
// then nobody but its reader sees it.
func MakeLink(ctx context.Context, st *store.Store, ring *secret.Ring, c *config.Config, u *store.User, purpose string, hand bool, actor string) (MadeLink, error) {
	life := c.Lifetimes.Invitation.D()
	if purpose == store.LinkReset {
		life = c.Lifetimes.Reset.D()
	}
	now, token := st.Now(), secret.Token()
	l := store.Link{Hash: secret.Hash(token), UserID: u.ID, Purpose: purpose, CreatedAt: now, ExpiresAt: now + life.Milliseconds()}
	made := MadeLink{URL: secret.String(c.Issuer + login.PathLink + "?" + url.Values{"token": {token.Reveal()}}.Encode()), Until: time.UnixMilli(l.ExpiresAt)}
	e := store.Entry{Actor: actor, Name: u.Name, Detail: purpose + ", handed on"}
	var waiting *store.Mail
	if c.SMTP.On() && u.Email != "" && !hand {
		address, err := mail.CheckAddress(u.Email)
		if err != nil {
			return made, err
		}
		l.Email, e.Detail = address, purpose+", mailed to "+address
		waiting = mail.LinkMail(ring, l, made.URL)
		made.URL, made.Mailed = "", address
	}
	return made, st.CreateLink(ctx, l, waiting, e)
}
