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
