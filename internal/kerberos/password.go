package kerberos

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/errorcode"
	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/iana/nametype"
	"github.com/jcmturner/gokrb5/v8/iana/patype"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"idp/internal/reason"
	"idp/internal/secret"
)

const (
	maxPassword = 1024           // bytes
	maxSPNs     = 4              // of ours, asked for before giving up
	askLifetime = 24 * time.Hour // the KDC shortens it to what it allows
	// Bounds of PBKDF2 iterations: the default of RFC 3962 §4 is the least a KDC
	// may ask for; the most is some seconds of CPU, for a stranger can ask.
	minIterations = 4096
	maxIterations = 500_000
)

// CheckPassword asks the realm's KDC whether the password is the person's, and
// makes the KDC prove that it is the realm's by a ticket for one of our own
// keytab's services. Without that proof, whoever is on the path to the KDC could
// log in as anybody. Without a deadline in ctx it takes at most 10 s.
//
// A refusal is a *reason.Error. PASSWORD_EXPIRED, ACCOUNT_LOCKED and ACCOUNT_DISABLED
// say nothing about the password: KDCs check them first. Every call that reaches
// the KDC with a wrong password counts there against the account; limiting calls
// is the caller's part.
func (a *Acceptor) CheckPassword(ctx context.Context, n Name, password secret.String) (login *Login, err error) {
	defer func() {
		if p := recover(); p != nil {
			login, err = nil, reason.Refuse(reason.KDCError, fmt.Sprintf("panic: %v", p))
		}
	}()
	if err := a.checkCredential(n, password.Reveal()); err != nil {
		return nil, err
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, kdcTimeout)
		defer cancel()
	}
	x := a.newExchanger(n)
	if err := x.getTGT(ctx, password.Reveal()); err != nil {
		return nil, err
	}
	return x.proveKDC(ctx)
}

// checkCredential refuses what no KDC needs to see.
func (a *Acceptor) checkCredential(n Name, password string) error {
	switch {
	case checkName(n.Name) != nil || strings.ContainsAny(n.Name, `/@\`):
		return reason.Refuse(reason.NotAPerson, fmt.Sprintf("the name %q", short(n.Name)))
	case a.realm(n.Realm) == nil:
		return reason.Refuse(reason.Realm, short(n.Realm))
	case password == "" || len(password) > maxPassword || !utf8.ValidString(password) || strings.Contains(password, "\x00"):
		return reason.Refuse(reason.BadPassword, "empty, too long, not UTF-8, or holds a NUL")
	}
	return a.Ready()
}

// exchanger is one password check's talk with a KDC.
type exchanger struct {
	a      *Acceptor
	client Principal
	conf   *config.Config

	tgt     messages.Ticket
	at      string   // the realm whose KDC takes tgt
	session keyBlock // of tgt
}

func (a *Acceptor) newExchanger(n Name) *exchanger {
	etypes := []int32{
		etypeID.AES256_CTS_HMAC_SHA1_96, etypeID.AES128_CTS_HMAC_SHA1_96,
		etypeID.AES256_CTS_HMAC_SHA384_192, etypeID.AES128_CTS_HMAC_SHA256_128,
	}
	if a.opts.AllowRC4 {
		etypes = append(etypes, etypeID.RC4_HMAC)
	}
	c := config.New()
	c.LibDefaults.DefaultTktEnctypeIDs = etypes
	c.LibDefaults.DefaultTGSEnctypeIDs = etypes
	c.LibDefaults.TicketLifetime = askLifetime
	client := Principal{Components: []string{n.Name}, Realm: n.Realm, NameType: nametype.KRB_NT_PRINCIPAL}
	return &exchanger{a: a, client: client, conf: c, at: n.Realm}
}

func (x *exchanger) cname() types.PrincipalName {
	return types.PrincipalName{NameType: x.client.NameType, NameString: x.client.Components}
}

// getTGT is the AS exchange, RFC 4120 §3.1: first without a proof, which tells
// the salt and finds a KDC that lives, then with an encrypted timestamp.
func (x *exchanger) getTGT(ctx context.Context, password string) error {
	req, err := messages.NewASReqForTGT(x.client.Realm, x.conf, x.cname())
	if err != nil {
		return fmt.Errorf("make AS-REQ: %w", err)
	}
	reply, err := x.ask(ctx, &req, hedgeAfter)
	if err != nil {
		return err
	}
	e, isError := parseError(reply)
	if !isError {
		return x.readASRep(reply, req.ReqBody.Nonce, password, nil)
	}
	if e.code != errorcode.KDC_ERR_PREAUTH_REQUIRED {
		return e.reject(x.client.String())
	}
	key, err := x.passwordKey(password, e.data)
	if err != nil {
		return err
	}
	proof, err := x.proof(key)
	if err != nil {
		return err
	}
	req.PAData = append(req.PAData, types.PAData{PADataType: patype.PA_ENC_TIMESTAMP, PADataValue: proof})
	if reply, err = x.ask(ctx, &req, hedgeGuessAfter); err != nil {
		return err
	}
	if e, isError = parseError(reply); isError {
		return e.reject(x.client.String())
	}
	return x.readASRep(reply, req.ReqBody.Nonce, password, &key)
}

func (x *exchanger) ask(ctx context.Context, req *messages.ASReq, hedge time.Duration) ([]byte, error) {
	b, err := req.Marshal()
	if err != nil {
		return nil, fmt.Errorf("make AS-REQ: %w", err)
	}
	return x.a.exchange(ctx, x.client.Realm, b, hedge)
}

// proof is PA-ENC-TIMESTAMP, RFC 4120 §5.2.7.2.
func (x *exchanger) proof(key keyBlock) ([]byte, error) {
	k, err := newSealKey(key, usageTimestamp)
	if err != nil {
		return nil, err
	}
	ct, err := k.seal(timestamp(x.a.opts.Now()))
	return encryptedData(key.etype, ct), err
}

// passwordKey derives the person's key with the first encryption type of the
// KDC's list that our policy allows.
func (x *exchanger) passwordKey(password string, data []byte) (keyBlock, error) {
	infos := etypeInfos(data)
	for _, info := range infos {
		if x.a.etypeAllowed(info.etype) {
			return stringToKey(password, x.client, info)
		}
	}
	var names []string
	for _, info := range infos {
		names = append(names, etypeName(info.etype))
	}
	return keyBlock{}, reason.Refuse(reason.Etype, fmt.Sprintf("the KDC has only these keys of %s: %s", x.client, strings.Join(names, ", ")))
}

// stringToKey is RFC 3962 §4, RFC 8009 §4 or RFC 4757 §2.
func stringToKey(password string, client Principal, info etypeInfo) (keyBlock, error) {
	if info.etype == etypeID.RC4_HMAC {
		var b []byte
		for _, u := range utf16.Encode([]rune(password)) {
			b = binary.LittleEndian.AppendUint16(b, u)
		}
		// The library's own string-to-key misreads everything outside ASCII; its
		// random-to-key is the MD4 that the RFC wants.
		return keyBlock{info.etype, crypto.RC4HMAC{}.RandomToKey(b)}, nil
	}
	et, err := crypto.GetEtype(info.etype)
	if err != nil {
		return keyBlock{}, err
	}
	params := et.GetDefaultStringToKeyParams()
	if len(info.params) == 4 {
		params = hex.EncodeToString(info.params)
		if n := binary.BigEndian.Uint32(info.params); n < minIterations || n > maxIterations {
			return keyBlock{}, reason.Refuse(reason.KDCError, fmt.Sprintf("the KDC asks for %d iterations", n))
		}
	}
	salt := client.Realm + strings.Join(client.Components, "") // RFC 4120 §4
	if info.salt != nil {
		salt = *info.salt
	}
	k, err := et.StringToKey(password, salt, params)
	return keyBlock{info.etype, k}, err
}

// readASRep opens an AS-REP with the person's key; key is nil when the KDC
// wanted no proof, and the password is then wrong if the reply does not open.
func (x *exchanger) readASRep(reply []byte, nonce int, password string, key *keyBlock) error {
	rep, err := parseKDCRep(reply, appASRep)
	if err != nil {
		return &reason.Error{Reason: reason.KDCError, Detail: "AS-REP", Err: err}
	}
	if !rep.client.same(x.client) {
		return reason.Refuse(reason.NotGenuine, fmt.Sprintf("asked for %s, got %s", x.client, short(rep.client.String())))
	}
	wrong := reason.NotGenuine
	if key == nil {
		wrong = reason.BadPassword
		k, err := x.passwordKeyOf(&rep, password)
		if err != nil {
			return err
		}
		key = &k
	}
	part, err := openRep(&rep, *key, usageASRep, nonce)
	if err != nil {
		return &reason.Error{Reason: wrong, Detail: "AS-REP for " + x.client.String(), Err: err}
	}
	x.session = part.key
	return x.setTGT(rep.ticket)
}

func (x *exchanger) setTGT(der []byte) error {
	if err := x.tgt.Unmarshal(der); err != nil {
		return reason.Refuse(reason.KDCError, "a ticket that is not readable")
	}
	if !x.a.etypeAllowed(x.session.etype) {
		return reason.Refuse(reason.Etype, "the KDC gave a session key of "+etypeName(x.session.etype))
	}
	return nil
}

func (x *exchanger) passwordKeyOf(rep *kdcRep, password string) (keyBlock, error) {
	if !x.a.etypeAllowed(rep.part.etype) {
		return keyBlock{}, reason.Refuse(reason.Etype, "AS-REP in "+etypeName(rep.part.etype))
	}
	for _, info := range etypeInfos(rep.padata) {
		if info.etype == rep.part.etype {
			return stringToKey(password, x.client, info)
		}
	}
	return stringToKey(password, x.client, etypeInfo{etype: rep.part.etype})
}

// openRep opens a reply's sealed part and checks that it answers our request.
func openRep(rep *kdcRep, key keyBlock, usage uint32, nonce int) (kdcRepPart, error) {
	if rep.part.etype != key.etype {
		return kdcRepPart{}, errIntegrity
	}
	k, err := newSealKey(key, usage)
	if err != nil {
		return kdcRepPart{}, err
	}
	plain, err := k.open(rep.part.cipher)
	if err != nil {
		return kdcRepPart{}, err
	}
	part, err := parseKDCRepPart(plain)
	if err == nil && int64(part.nonce) != int64(nonce) {
		err = errors.New("the answer to another question")
	}
	return part, err
}
