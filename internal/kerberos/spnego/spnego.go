// Package spnego reads and writes the tokens of "Authorization: Negotiate":
// SPNEGO (RFC 4178), by which a client says what mechanisms it has, and the frame
// that the GSS-API puts around Kerberos messages (RFC 2743 §3.1, RFC 4121 §4.1).
//
// A client begins with a NegTokenInit: its mechanisms in the order of its choice,
// and a token of the first. ParseOffer reads it. Nearly always that is Kerberos,
// the token holds an AP-REQ, and Answer ends the exchange with an AP-REP. Where
// Kerberos is offered, but not first, the token is of no use to us:
//
//	client  NEGOEX, Kerberos, NTLM; a token of NEGOEX    ParseOffer
//	we      request-mic: Kerberos                        RequestMIC
//	client  an AP-REQ                                    Resume
//	we      accept-incomplete: an AP-REP, our MIC        Answer
//	client  its MIC                                      Resume
//	we      accept-completed                             Finish
//
// The list of mechanisms is not protected, so somebody on the way could take the
// better ones off it. The MICs are checksums over the list, made with the key of
// the ticket that was judged meanwhile: they show that both saw the same one
// (RFC 4178 §5). Between two legs nothing is kept but the state that one writes
// and the next is given.
//
// This package knows neither tickets nor keys of ours: whether an AP-REQ is good
// is judged by package kerberos. Who cannot be understood gets a *reason.Error.
package spnego

// Tags of tokens.
const (
	tagGSS     = 0x60 // RFC 2743 §3.1
	tagNegInit = 0xa0 // RFC 4178 §4.2
	tagNegResp = 0xa1
)

// Mechanisms a client may offer, as the body of their OID.
const (
	oidSPNEGO = "\x2b\x06\x01\x05\x05\x02"                 // 1.3.6.1.5.5.2
	oidKRB5   = "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"     // 1.2.840.113554.1.2.2
	oidMSKRB5 = "\x2a\x86\x48\x82\xf7\x12\x01\x02\x02"     // 1.2.840.48018.1.2.2, the same by a mistake of Windows 2000
	oidNTLM   = "\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a" // 1.3.6.1.4.1.311.2.2.10
	oidNEGOEX = "\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x1e" // 1.3.6.1.4.1.311.2.2.30
	oidIAKERB = "\x2b\x06\x01\x05\x02\x05"                 // 1.3.6.1.5.2.5
)

func isKerberos(oid string) bool { return oid == oidKRB5 || oid == oidMSKRB5 }

// ntlmMagic begins every NTLM message, MS-NLMP §2.2.1: clients send them bare, too.
const ntlmMagic = "NTLMSSP\x00"

// Token ids of Kerberos messages in GSS-API tokens, RFC 4121 §4.1.
const (
	idAPReq = 1
	idAPRep = 2
	idError = 3
)
