// Lets a back end know who asks: it verifies the access token that comes with each
// request, by the keys that discovery names. This is the part to copy.
import * as oauth from 'oauth4webapi'

// Those that we let sign access tokens.
const signingAlgorithms = ['ES256', 'RS256']

// bearer asks the issuer for its metadata; audience is the `resource` that this back
// end is at the issuer. What it returns takes a scope and a handler, and lets those
// requests through whose token is good and has the scope; the handler gets the claims.
export async function bearer(issuer, audience) {
  const url = new URL(issuer)
  const options = {
    signingAlgorithms,
    // Plain http is for trying it out on one machine.
    [oauth.allowInsecureRequests]: url.protocol === 'http:' && url.hostname === 'localhost',
  }
  const server = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, options))

  return (scope, handler) => async (req, res) => {
    if (!/^(Bearer|DPoP) /i.test(req.headers.authorization ?? '')) return refuse(res, 401, 'Bearer')
    let caller
    try {
      // Signature, iss, aud, exp, the type at+jwt; the proof, where the token is bound to a key.
      caller = await oauth.validateJwtAccessToken(server, asRequest(req, audience), audience, options)
      if (caller.cnf && !isNew(caller.cnf.jkt, req.headers.dpop)) throw new Error('the proof was used before')
    } catch (err) {
      console.error('refused', req.url, err.message, err.cause ?? '')
      return refuse(res, 401, 'Bearer error="invalid_token"')
    }
    if (!(caller.scope ?? '').split(' ').includes(scope)) {
      return refuse(res, 403, `Bearer error="insufficient_scope", scope="${scope}"`)
    }
    return handler(req, res, caller)
  }
}

// The proofs that have come, by when they are worth nothing by themselves: the library
// bears a clock that is 300 s off, either way. Several processes need one memory for all.
const used = new Map()

// isNew: a proof is good once (RFC 9449 §11.1), or whoever reads it could show it again.
function isNew(key, proof) {
  const now = Date.now()
  for (const [old, until] of used) {
    if (until > now) break // the rest is younger
    used.delete(old)
  }
  const id = `${key} ${JSON.parse(Buffer.from(proof.split('.')[1], 'base64url')).jti}`
  if (used.has(id)) return false
  used.set(id, now + 601_000)
  return true
}

// asRequest is the request as the library wants it: only its head matters. The
// address is ours as callers know it, for a proof is made for that. What was asked for
// is a path whatever it looks like: to new URL //elsewhere/ is a host, and a proof made
// for that one would do.
function asRequest(req, audience) {
  const url = new URL(audience)
  url.pathname = req.url.split('?')[0]
  return new Request(url, { method: req.method, headers: new Headers(req.headers) })
}

// RFC 6750 §3.
function refuse(res, status, challenge) {
  res.writeHead(status, { 'WWW-Authenticate': challenge }).end()
}
