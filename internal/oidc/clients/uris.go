package clients

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/fetch"
	"idp/internal/store"
)

func checkRedirectURIs(c *store.Client) error {
	if len(c.RedirectURIs) == 0 && MayUse(c, protocol.GrantTypeCode) {
		return errors.New("redirect_uris: missing; a client that nobody logs in to needs none, and grant_types without authorization_code")
	}
	for _, u := range c.RedirectURIs {
		if err := checkURI(u, c.Public()); err != nil {
			return fmt.Errorf("redirect_uris: %q: %w", u, err)
		}
	}
	return nil
}

func checkPostLogoutURIs(c *store.Client) error {
	for _, u := range c.PostLogoutRedirectURIs {
		if err := checkURI(u, c.Public()); err != nil {
			return fmt.Errorf("post_logout_redirect_uris: %q: %w", u, err)
		}
	}
	return nil
}

// checkBackchannelURI: OIDC Back-Channel Logout §2.2.
func checkBackchannelURI(c *store.Client) error {
	if c.BackchannelLogoutURI == "" {
		if c.BackchannelLogoutSession {
			return errors.New("backchannel_logout_session_required: there is no backchannel_logout_uri")
		}
		return nil
	}
	if err := checkLogoutURI(c.BackchannelLogoutURI, c.Public()); err != nil {
		return fmt.Errorf("backchannel_logout_uri: %q: %w", c.BackchannelLogoutURI, err)
	}
	return nil
}

// checkFrontchannelURI: OIDC Front-Channel Logout §2. Its origin is that of a
// redirect URI, so that nobody makes people's browsers ask somebody else.
func checkFrontchannelURI(c *store.Client) error {
	uri := c.FrontchannelLogoutURI
	if uri == "" {
		if c.FrontchannelLogoutSession {
			return errors.New("frontchannel_logout_session_required: there is no frontchannel_logout_uri")
		}
		return nil
	}
	if err := checkLogoutURI(uri, c.Public()); err != nil {
		return fmt.Errorf("frontchannel_logout_uri: %q: %w", uri, err)
	}
	origin, _ := FrameOrigin(uri)
	if !slices.ContainsFunc(c.RedirectURIs, func(r string) bool { o, ok := FrameOrigin(r); return ok && o == origin }) {
		return fmt.Errorf("frontchannel_logout_uri: %q: want scheme, host and port of one of redirect_uris", uri)
	}
	return nil
}

// checkLogoutURI is checkURI for what is asked by HTTP: a scheme of an app's own
// reaches nobody.
func checkLogoutURI(text string, public bool) error {
	if !strings.HasPrefix(text, "https://") && !strings.HasPrefix(text, "http://") {
		return errors.New("want an absolute https URL")
	}
	return checkURI(text, public)
}

// FrameOrigin is scheme, host and port of an http or https URL (RFC 6454 §4), fit
// for the Content-Security-Policy of the page that frames it: the host has none of
// the punctuation that url.Parse lets through and that would end the directive.
func FrameOrigin(text string) (origin string, ok bool) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || !fetch.PlainHost(u) {
		return "", false
	}
	host := strings.ToLower(u.Host)
	switch u.Scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	default:
		return "", false
	}
	return u.Scheme + "://" + host, true
}

// checkURI: absolute, no fragment (RFC 6749 §3.1.2), a host that reads as what it is,
// https; http on this machine or for a confidential client (OIDC Registration §2); for
// a public client also a scheme of its own, which has a dot in it (RFC 8252 §7.1).
func checkURI(text string, public bool) error {
	u, err := url.Parse(text)
	if err != nil {
		return errors.New("not a URL")
	}
	switch {
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || r == '*' || r == '\\' }):
		return errors.New("want plain ASCII without spaces, backslashes and *; there are no patterns")
	case strings.Contains(text, "#"):
		return errors.New("must not have a fragment (#)")
	case u.User != nil:
		return errors.New("must not hold a user name")
	case (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" && !fetch.PlainHost(u):
		return errors.New(fetch.WantedHost)
	case u.Scheme == "https" && u.Hostname() != "":
		return nil
	case u.Scheme == "http" && u.Hostname() != "":
		if public && !local(u.Hostname()) {
			return errors.New("a public client needs https, or http on this machine")
		}
		return nil
	case !public:
		return errors.New("want an absolute https URL")
	case strings.Contains(u.Scheme, "."):
		return nil
	}
	return errors.New("want an absolute https URL, or com.example.app:/path")
}

func local(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// webPage is the host of a page that people can be shown a link to; empty: it is none.
func webPage(text string) string {
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.User != nil || !fetch.PlainHost(u) {
		return ""
	}
	return u.Host
}
