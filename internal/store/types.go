package store

import (
	"encoding/json"
	"slices"
	"strings"
)

// Millis is a point in time as stored: milliseconds since 1970, UTC; 0 is never.
type Millis = int64

// User is a person. ID is the `sub` of every token; Name is unique, never reused
// and what relying parties see as preferred_username.
type User struct {
	ID            string
	Name          string
	FullName      string
	Email         string
	EmailVerified bool
	PasswordHash  string // PHC string; empty: no local password
	Groups        []string
	Claims        UserClaims
	Admin         bool
	Disabled      bool
	CreatedAt     Millis
	UpdatedAt     Millis
}

// Identity is what a source outside knows a user by.
type Identity struct {
	Source    string // "kerberos:REALM" or "upstream:ISSUER"
	Key       string // principal name or SID; the upstream's sub
	UserID    string
	Groups    []string // that it has given its user, and takes back when it goes
	Label     string   // what the source calls them, to be recognised; never looked up
	UsedAt    Millis   // by a login; 0: never, or not noted
	CreatedAt Millis
}

// SourceUpstream begins the Source of an Identity at an OpenID provider; its issuer
// follows.
const SourceUpstream = "upstream:"

// Client is a relying party. Field names are those of RFC 7591 where it has
// them; the same struct is read from the configuration file and stored as JSON.
type Client struct {
	ClientID   string `json:"client_id" yaml:"client_id"`
	ClientName string `json:"client_name,omitempty" yaml:"client_name"`
	ClientURI  string `json:"client_uri,omitempty" yaml:"client_uri"` // the site's own page, to be shown
	PolicyURI  string `json:"policy_uri,omitempty" yaml:"policy_uri"` // what it does with what it learns
	TOSURI     string `json:"tos_uri,omitempty" yaml:"tos_uri"`
	// InitiateLoginURI begins a login there (OIDC Core §4): the start page leads to it.
	InitiateLoginURI string `json:"initiate_login_uri,omitempty" yaml:"initiate_login_uri"`

	// who asks
	TokenEndpointAuthMethod string             `json:"token_endpoint_auth_method,omitempty" yaml:"token_endpoint_auth_method"`
	ClientSecretFile        string             `json:"-" yaml:"client_secret_file"`
	NextClientSecretFile    string             `json:"-" yaml:"next_client_secret_file"`                                                 // good beside the other while secrets are rolled over
	SecretHashes            [][]byte           `json:"secret_hashes,omitempty" yaml:"-"`                                                 // SHA-256 of each valid secret
	TokenEndpointAuthAlg    string             `json:"token_endpoint_auth_signing_alg,omitempty" yaml:"token_endpoint_auth_signing_alg"` // empty: any we accept
	JWKSURI                 string             `json:"jwks_uri,omitempty" yaml:"jwks_uri"`
	JWKSFile                string             `json:"-" yaml:"jwks_file"`                                     // holds JWKS, or PEM public keys; in the file only
	JWKS                    json.RawMessage    `json:"jwks,omitempty" yaml:"jwks"`                             // RFC 7517 §5; in the file as YAML, or as a text that is JSON
	TrustedAssertions       []TrustedAssertion `json:"trusted_assertions,omitempty" yaml:"trusted_assertions"` // of others, that stand for this client (RFC 7523 §2.1)
	DPoPBoundAccessTokens   bool               `json:"dpop_bound_access_tokens,omitempty" yaml:"dpop_bound_access_tokens"`
	Profile                 string             `json:"profile,omitempty" yaml:"profile"` // fapi2: FAPI 2.0 Security Profile; empty: none

	// what it may ask for
	RedirectURIs  []string `json:"redirect_uris,omitempty" yaml:"redirect_uris"`
	GrantTypes    []string `json:"grant_types,omitempty" yaml:"grant_types"`     // default: authorization_code
	Scope         string   `json:"scope,omitempty" yaml:"scope"`                 // default: openid profile email groups
	RequirePKCE   *bool    `json:"require_pkce,omitempty" yaml:"require_pkce"`   // nil: true
	RequireNonce  *bool    `json:"require_nonce,omitempty" yaml:"require_nonce"` // nil: true, where there is no PKCE
	RequirePAR    bool     `json:"require_pushed_authorization_requests,omitempty" yaml:"require_pushed_authorization_requests"`
	DefaultMaxAge *int64   `json:"default_max_age,omitempty" yaml:"default_max_age"` // seconds; nil: none

	// what it may exchange (RFC 8693)
	Exchange       []Exchange `json:"exchange,omitempty" yaml:"exchange"`
	TicketExchange []string   `json:"ticket_exchange,omitempty" yaml:"ticket_exchange"` // audiences that it gets tokens for by its user's Kerberos ticket; empty: none

	// whose
	Trusted        *bool    `json:"trusted,omitempty" yaml:"trusted"` // nil: true unless Registered
	AllowGroups    []string `json:"allow_groups,omitempty" yaml:"allow_groups"`
	ReauthByTicket bool     `json:"reauth_by_ticket,omitempty" yaml:"reauth_by_ticket"`

	// what it is told
	Groups            []string `json:"groups,omitempty" yaml:"groups"`
	PreferredUsername string   `json:"preferred_username,omitempty" yaml:"preferred_username"`
	ClaimsInIDToken   bool     `json:"claims_in_id_token,omitempty" yaml:"claims_in_id_token"`
	IDTokenAlg        string   `json:"id_token_signed_response_alg,omitempty" yaml:"id_token_signed_response_alg"` // default: RS256
	UserinfoAlg       string   `json:"userinfo_signed_response_alg,omitempty" yaml:"userinfo_signed_response_alg"` // empty: JSON, not signed

	// the end
	PostLogoutRedirectURIs    []string `json:"post_logout_redirect_uris,omitempty" yaml:"post_logout_redirect_uris"`
	BackchannelLogoutURI      string   `json:"backchannel_logout_uri,omitempty" yaml:"backchannel_logout_uri"`
	BackchannelLogoutSession  bool     `json:"backchannel_logout_session_required,omitempty" yaml:"backchannel_logout_session_required"`
	FrontchannelLogoutURI     string   `json:"frontchannel_logout_uri,omitempty" yaml:"frontchannel_logout_uri"`
	FrontchannelLogoutSession bool     `json:"frontchannel_logout_session_required,omitempty" yaml:"frontchannel_logout_session_required"`

	AnyPort    bool   `json:"-" yaml:"-"`                    // its redirect URIs count with every port: of a protected site whose entry names none
	Registered bool   `json:"registered,omitempty" yaml:"-"` // by itself (RFC 7591); not trusted before an administrator says so
	FromFile   bool   `json:"-" yaml:"-"`                    // owned by the configuration file
	CreatedAt  Millis `json:"-" yaml:"-"`
	UpdatedAt  Millis `json:"-" yaml:"-"`
}

// TrustedAssertion says which JWTs of somebody else get a token for a client: those
// of one issuer about one subject, such as a workflow or a service account. All is
// compared to the letter.
type TrustedAssertion struct {
	Issuer   string `json:"issuer" yaml:"issuer"`
	JWKSURI  string `json:"jwks_uri" yaml:"jwks_uri"` // the issuer's keys
	Subject  string `json:"subject" yaml:"subject"`
	Audience string `json:"audience,omitempty" yaml:"audience"` // default: this issuer
}

// Exchange says for whom a client gets tokens in exchange for others of the same user
// (RFC 8693), how long they are good, and for what.
type Exchange struct {
	Audience string   `json:"audience" yaml:"audience"`           // a resource of the configuration
	Scopes   []string `json:"scopes,omitempty" yaml:"scopes"`     // at most these; empty: tokens that say who, and allow nothing
	Lifetime Duration `json:"lifetime,omitempty" yaml:"lifetime"` // at most; 0: that of access tokens
	From     []string `json:"from,omitempty" yaml:"from"`         // audiences of tokens that it may exchange beside those that it was given itself
}

// Public reports whether the client has no secret (RFC 6749 §2.1).
func (c *Client) Public() bool { return c.TokenEndpointAuthMethod == "none" }

// Resource is a resource server that access tokens can be made for (RFC 8707).
type Resource struct {
	URI            string   `yaml:"uri"`              // the audience, and what a relying party names
	AccessTokenAlg string   `yaml:"access_token_alg"` // default: ES256
	Clients        []string `yaml:"clients"`          // who may ask for it; empty: every client
}

// Session is one login of one browser, good at every relying party.
type Session struct {
	ID            string // the public `sid`, stable until the user changes
	SecretHash    []byte // SHA-256 of what the cookie holds
	UserID        string
	AMR           []string // RFC 8176
	ACR           string
	Principal     string // Kerberos principal where a ticket or the KDC proved it
	AuthTime      Millis
	CreatedAt     Millis
	SeenAt        Millis
	IdleExpiresAt Millis
	ExpiresAt     Millis // absolute; never after the ticket's end without a directory
	Address       string
	UserAgent     string
	IdleFor       Millis // how long it may go unused; 0: what is configured
	Remembered    bool   // its person wanted this device remembered
	TicketEnd     Millis // beyond the end of its ticket it counts while the directory vouches for its user; 0: no such end
	Upstream      UpstreamSession
	// HasFactor: its user had set up a second factor when the session began, or was
	// renewed. Read by SessionBySecret only.
	HasFactor bool
}

// UpstreamSession is the login at an upstream that a session came from; zero: none.
type UpstreamSession struct {
	ID      string `json:"id,omitempty"`       // of the upstream in the configuration
	Issuer  string `json:"issuer,omitempty"`   // as its ID token says
	Subject string `json:"subject,omitempty"`  // sub there
	SID     string `json:"sid,omitempty"`      // of its session, where it tells one
	IDToken string `json:"id_token,omitempty"` // for its logout (id_token_hint)
}

// Pending is a login that has shown who somebody is, and waits for another factor. It
// is of the browser that holds the cookie of the step (LoginRequest.StepHash).
type Pending struct {
	UserID       string          `json:"user_id"`
	Method       string          `json:"method"` // how the log calls it: form, ticket, …
	AMR          []string        `json:"amr"`
	AuthTime     Millis          `json:"auth_time"`
	Until        Millis          `json:"until,omitempty"`         // what comes of it ends here; 0: no limit
	Principal    string          `json:"principal,omitempty"`     // Kerberos principal
	PasswordHash string          `json:"password_hash,omitempty"` // of the local password that was typed
	Remember     bool            `json:"remember,omitempty"`      // this device
	Account      string          `json:"account,omitempty"`       // whose password was right, as guesses are counted
	TicketEnd    Millis          `json:"ticket_end,omitempty"`    // of the ticket that proved it; 0: none did
	Upstream     UpstreamSession `json:"upstream,omitzero"`

	// Of a login that has shown its second factor, and has something to be told
	// before it goes on; and of a session that is to show more.
	FactorID  string `json:"factor_id,omitempty"`  // of Factor that was shown
	Second    string `json:"second,omitempty"`     // how the log calls it: code, recovery code, passkey
	SessionID string `json:"session_id,omitempty"` // that the factor is added to: good only while it lives
	NewCodes  bool   `json:"new_codes,omitempty"`  // recovery codes were made, and wait to be kept
}

// LoginRequest is one pending attempt to log in. It belongs to the browser whose
// cookie hashes to BrowserHash, and holds the only copy of where to return.
type LoginRequest struct {
	ID            string
	BrowserHash   []byte
	Address       string
	ClientID      string // empty: no relying party, ReturnTo holds a path of ours
	Params        string // the auth request's parameters, URL-encoded
	PushedHash    []byte // of the request that the client pushed (RFC 9126); empty: it pushed none
	ReturnTo      string // path of our own, when ClientID is empty
	Fresh         bool   // a silent ticket does not satisfy it
	MinAuthTime   Millis // from max_age; 0: any
	StepUp        bool   // of whoever is logged in, whose session shows all but what is missing
	ACR           string // the level that the login must reach at least; empty: what the rules demand of its user
	LoginHint     string
	Reason        string  // why the last attempt failed: a reason code
	Reference     string  // of the request that failed, to be read out
	Username      string  // what the last failed form held
	Rechallenged  bool    // the one more Basic challenge after sign-out was sent
	State         []byte  // of a SPNEGO continuation
	Pending       Pending // its first factor; no UserID: none yet
	StepHash      []byte  // SHA-256 of the cookie that the browser got with Pending; empty: none
	UserID        string  // set when the login is done
	SessionID     string  // set when the login is done
	AuthTime      Millis  // set when the login is done
	Consent       string  // what its user is asked to allow, items as in Consent.Scope; empty: nothing
	ConsentAnswer string  // ConsentAllowed or ConsentDenied; empty: none yet
	CreatedAt     Millis
	ExpiresAt     Millis
	ConsumedAt    Millis
}

// Consent is what a user allowed a relying party that is not trusted.
type Consent struct {
	UserID    string
	ClientID  string
	Scope     string // items separated by spaces, as package clients writes them
	CreatedAt Millis
	UpdatedAt Millis
}

// Covers reports whether all items of scope were allowed.
func (c Consent) Covers(scope string) bool {
	allowed := strings.Fields(c.Scope)
	for item := range strings.FieldsSeq(scope) {
		if !slices.Contains(allowed, item) {
			return false
		}
	}
	return true
}

// Code is an authorization code, kept by the SHA-256 of it.
type Code struct {
	Hash          []byte
	GrantID       string
	ClientID      string
	RedirectURI   string
	CodeChallenge string // S256; empty where the client needs none
	UserID        string
	SessionID     string
	Scope         string
	Nonce         string
	Claims        string
	Resource      string // the resources asked for, separated by spaces
	JKT           string // the DPoP key that must redeem it (RFC 9449 §10); empty: any
	AMR           []string
	ACR           string
	AuthTime      Millis
	CreatedAt     Millis
	ExpiresAt     Millis
	UsedAt        Millis
}

// Grant is what one redeemed code gave; its id is in every token of it.
type Grant struct {
	ID        string
	ClientID  string
	UserID    string
	SessionID string // empty: of a program that began none; it ends with its token, or its user
	Offline   bool   // outlives the session
	Scope     string
	Resource  string // the resources granted, separated by spaces
	Claims    string
	JKT       string // the DPoP key that its refresh tokens are bound to (RFC 9449 §5); empty: none
	AMR       []string
	ACR       string
	AuthTime  Millis
	CreatedAt Millis
	ExpiresAt Millis
	RevokedAt Millis
	Device    bool   // a person allowed it to a device (RFC 8628)
	Address   string // that the device asked from
}

// RefreshFamily is the one row behind all refresh tokens of a grant.
type RefreshFamily struct {
	ID            string
	GrantID       string
	ClientID      string
	Generation    int64
	RotatedAt     Millis
	IdleExpiresAt Millis
	ExpiresAt     Millis
	RevokedAt     Millis
}

// SigningKey is a private key sealed under secret_key_file.
type SigningKey struct {
	Kid       string
	Algorithm string // one of keys.Algorithms
	Sealed    []byte
	CreatedAt Millis // published from here
	ActiveAt  Millis // signs from here
	RetiredAt Millis // signs until here; 0: not yet decided
	ExpiresAt Millis // published until here; 0: not yet decided
}

// Entry is one line of the audit log.
type Entry struct {
	ID        string // set by the store: sorts by time
	At        Millis
	Event     string // "login", "client_added" …: set by the store; of Audit, by its caller
	Reason    string // reason code of a failure
	Actor     string // who did it: user name, "client:ID", "cli:root", "config", "server"
	UserID    string
	Name      string // the name as typed or as the ticket has it
	ClientID  string
	SessionID string
	Address   string
	Agent     string // what the browser said it was, in words of package useragent
	RequestID string
	Detail    string
	OldEmail  string // of a change of the mail address: where its person is told; not written down
}

// Link is a one-time link for a first or a new password, kept by the SHA-256 of what
// is in it.
type Link struct {
	Hash        []byte
	UserID      string
	Purpose     string // LinkInvitation or LinkReset
	Email       string // the address that alone was told of it; empty: an administrator has it
	BrowserHash []byte // of a cookie of the only browser that may use it; empty: nobody has opened it
	CreatedAt   Millis
	ExpiresAt   Millis
	UsedAt      Millis
}

// Mail is one that waits to be sent.
type Mail struct {
	ID        string
	UserID    string
	Kind      string // an event of the audit log that its person is told of, or a purpose of links
	Data      string // JSON: a Notice, or what package mail seals
	Attempts  int64
	NextAt    Millis // of the next attempt; while one is made, until when it may take
	CreatedAt Millis
	ExpiresAt Millis // it is of no use any more
}

// Notice is what a mail tells of a change.
type Notice struct {
	At      Millis `json:"at"`
	Actor   string `json:"actor"` // as in Entry
	Address string `json:"address,omitempty"`
	To      string `json:"to,omitempty"` // the mail address; empty: the user's
}

func encodeList(list []string) string {
	if len(list) == 0 {
		return "[]"
	}
	b, err := json.Marshal(list)
	if err != nil { // strings always marshal
		panic(err)
	}
	return string(b)
}
