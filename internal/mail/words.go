package mail

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"idp/internal/audit"
	"idp/internal/secret"
	"idp/internal/store"
)

// errNobody: there is no address to send it to.
var errNobody = errors.New("the user has no mail address")

// sealedFor is what the key ring seals a link in a waiting mail for: the database must
// hold nothing that opens an account.
const sealedFor = "mailed link"

// LinkMail is the mail that takes a link to the person it is for.
func LinkMail(ring *secret.Ring, l store.Link, address secret.String) *store.Mail {
	m := &store.Mail{ID: secret.ID(), UserID: l.UserID, Kind: l.Purpose, NextAt: l.CreatedAt, CreatedAt: l.CreatedAt, ExpiresAt: l.ExpiresAt}
	m.Data = base64.RawURLEncoding.EncodeToString(ring.Seal(sealedFor, m.ID, []byte(address.Reveal())))
	return m
}

// letter writes a mail that waits.
func (s *Sender) letter(ring *secret.Ring, m store.Mail, u *store.User) (Letter, error) {
	l := Letter{ID: m.ID, To: u.Email}
	var err error
	switch m.Kind {
	case store.LinkInvitation, store.LinkReset:
		err = s.link(ring, m, u, &l)
	default:
		err = s.notice(m, u, &l)
	}
	if err == nil && l.To == "" {
		err = errNobody
	}
	return l, err
}

func (s *Sender) link(ring *secret.Ring, m store.Mail, u *store.User, l *Letter) error {
	sealed, err := base64.RawURLEncoding.DecodeString(m.Data)
	if err != nil {
		return err
	}
	address, err := ring.Open(sealedFor, m.ID, sealed)
	if err != nil {
		return err
	}
	why := "An administrator has made an account for you at " + s.about.Company + "."
	l.Subject = "Your account at " + s.about.Company
	if m.Kind == store.LinkReset {
		why = "An administrator has let you choose a new password at " + s.about.Company + "."
		l.Subject = "A new password at " + s.about.Company
	}
	l.Text = s.text(why+" Your name there: "+u.Name,
		"Choose your password here:\n"+string(address),
		"The link is good once, until "+date(m.ExpiresAt)+", and only in the first browser that goes on from it. Give it to nobody. Nobody will ever ask you for your password.")
	return nil
}

// happened says what each event is to the person it is about.
var happened = map[string]string{
	audit.PasswordChanged:   "your password was changed",
	audit.IdentityLinked:    "another way to log in was linked to your account",
	audit.IdentityUnlinked:  "a way to log in was taken from your account",
	audit.UserChanged:       "the mail address of your account was changed; this is the last mail to this one",
	audit.FactorAdded:       "a second factor was added to your account",
	audit.FactorRemoved:     "a second factor was removed from your account",
	audit.FactorsReset:      "all second factors of your account were removed",
	audit.RecoveryCodesMade: "new recovery codes were made for your account; older ones are not good any more",
	audit.RecoveryCodeUsed:  "a recovery code of yours was used to log in",
	audit.SessionsEnded:     "your account was signed out everywhere",
}

func (s *Sender) notice(m store.Mail, u *store.User, l *Letter) error {
	var n store.Notice
	if err := json.Unmarshal([]byte(m.Data), &n); err != nil {
		return err
	}
	what, known := happened[m.Kind]
	if !known { // of a newer release
		what = "something about how you log in was changed (" + m.Kind + ")"
	}
	if n.To != "" {
		l.To = n.To
	}
	l.Subject = "Your account at " + s.about.Company + " was changed"
	who := "an administrator"
	if n.Actor == u.Name {
		who = "you, or somebody who is logged in as you"
	}
	if n.Address != "" {
		who += ", from the address " + n.Address
	}
	l.Text = s.text("On "+date(n.At)+" "+what+".",
		"Account: "+u.Name+"\nBy: "+who,
		"If you know of this, there is nothing to do. If you do not, tell your support at once: somebody else may have got into your account.")
	return nil
}

// Test is the letter of `idp mail test`.
func (s *Sender) Test(to string) Letter {
	return Letter{ID: secret.ID(), To: to, Subject: "Test mail from " + s.about.Company,
		Text: s.text("This is a test. Invitations, links for new passwords and notices will reach people as this has reached you.")}
}

func (s *Sender) text(paragraphs ...string) string {
	if s.about.Help != "" {
		paragraphs = append(paragraphs, "Help: "+s.about.Help)
	}
	paragraphs = append(paragraphs, "-- \n"+s.about.Company+"\n"+s.about.Issuer.String())
	return strings.Join(paragraphs, "\n\n") + "\n"
}

func date(at store.Millis) string {
	return fmt.Sprintf("%s UTC", time.UnixMilli(at).UTC().Format("Monday, 2 January 2006, 15:04"))
}
