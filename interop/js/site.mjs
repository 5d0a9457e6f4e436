// A site that lets idp log people in; which library does it is its program's
// business. It is told what to be by the environment variable SITE, a JSON object
// with the names of RFC 7591 where that has them, and tells a test what it learned
// as JSON.
import { randomUUID, webcrypto } from 'node:crypto'
import { readFileSync } from 'node:fs'
import * as http from 'node:http'
import * as https from 'node:https'

export const config = JSON.parse(process.env.SITE)

const algorithms = {
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  PS256: { name: 'RSA-PSS', hash: 'SHA-256' },
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  EdDSA: { name: 'Ed25519' },
}

// The site's own key, for private_key_jwt: config.jwk is its private half.
export const key = config.jwk && {
  key: await webcrypto.subtle.importKey('jwk', config.jwk, algorithms[config.jwk.alg], false, ['sign']),
  kid: config.jwk.kid,
}

// What the site registers itself with, if it has a token for that (RFC 7591).
export const metadata = {
  client_name: 'Wiki',
  application_type: 'web',
  redirect_uris: [config.redirect_uri],
  post_logout_redirect_uris: [config.post_logout_redirect_uri],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  scope: config.scope,
  token_endpoint_auth_method: config.token_endpoint_auth_method,
  id_token_signed_response_alg: config.id_token_signed_response_alg,
  jwks: config.jwks,
}

// serve answers for a relying party with the functions
//   begin(session, parameters)   the address of the authorization request, pushed if
//                                session.par; tokens are for session.dpop, a DPoP key
//   finish(session, request)     the callback: what there is to tell of the visitor
//   refresh(session, parameters) the same, with the refresh token
//   asBearer(session)            userinfo without the proof that it needs
//   atResource(session)          what config.resource says to a token made for it
//   revoke(session)              what introspection says before and after
//   itself()                     what introspection says of a token for the site itself
//   device(session)              what a device shows that cannot open a page
//   allowed(session)             what there is to tell when a person has answered
//   bearer(assertion)            tokens for somebody's JWT
//   signOut(session)             the address of the logout request
//   dpop()                       a new DPoP key, of the algorithm config.dpop
export function serve(rp) {
  const sessions = new Map()
  let first // the key for tokens of visitors that no test wants another one for

  // arrive begins a login. A test may ask for one without what the site is
  // registered for: ?par=no, ?dpop=no.
  async function arrive(session, { par, dpop, ...parameters }) {
    session.par = par ? par === 'yes' : config.require_pushed_authorization_requests
    session.dpop = config.dpop && dpop !== 'no' ? await (first ??= rp.dpop()) : undefined
    return rp.begin(session, parameters)
  }

  // begun is a new session.
  function begun(response) {
    const [id, session] = [randomUUID(), {}]
    sessions.set(id, session)
    const site = config.tls ? 'SameSite=None; Secure' : 'SameSite=Lax' // an answer by form_post is another site's
    response.setHeader('Set-Cookie', `visit=${id}; Path=/; HttpOnly; ${site}`)
    return session
  }

  async function answer(request, response) {
    const url = new URL(request.url, config.url)
    const id = /(?:^|; )visit=([^;]*)/.exec(request.headers.cookie)?.[1]
    const session = sessions.get(id)
    switch (`${request.method} ${url.pathname}`) {
      case 'GET /':
        return tell(response, session?.told ? 200 : 401, session?.told ?? {})
      case 'GET /login':
        return go(response, await arrive(begun(response), Object.fromEntries(url.searchParams)))
      case 'GET /callback':
      case 'POST /callback':
        session.told = await rp.finish(session, await whole(request, url))
        session.told.callback = request.method
        return go(response, '/')
      case 'POST /refresh':
        if (url.searchParams.has('another_key')) session.dpop = await rp.dpop()
        session.told = await rp.refresh(session, {})
        return tell(response, 200, session.told)
      case 'POST /as-bearer':
        return tell(response, 200, await rp.asBearer(session))
      case 'POST /at-resource':
        return tell(response, 200, await rp.atResource(session))
      case 'POST /revoke':
        return tell(response, 200, await rp.revoke(session))
      case 'POST /itself':
        return tell(response, 200, await rp.itself())
      case 'POST /device':
        return tell(response, 200, await rp.device(begun(response)))
      case 'POST /allowed':
        session.told = await rp.allowed(session)
        return tell(response, 200, session.told)
      case 'POST /bearer':
        return tell(response, 200, await rp.bearer(await (await whole(request, url)).text()))
      case 'GET /sign-out':
        sessions.delete(id)
        return go(response, await rp.signOut(session))
      case 'GET /signed-out':
        return tell(response, 200, { state: url.searchParams.get('state') })
      case 'GET /jwks':
        return tell(response, 200, config.jwks)
    }
    tell(response, 404, {})
  }

  listen(answer)
}

// listen answers requests, by TLS if config.tls names a certificate and a key.
export function listen(answer) {
  const [host, port] = config.listen.split(':')
  const files = config.tls && { cert: readFileSync(config.tls.certificate), key: readFileSync(config.tls.key) }
  const create = files ? (handler) => https.createServer(files, handler) : http.createServer
  create((request, response) => {
    answer(request, response).catch(async (error) => tell(response, 502, await failure(error)))
  }).listen(port, host)
}

// whole is a request of node:http as fetch has them, with its body.
export async function whole(request, url) {
  const { method, headers } = request
  const parts = []
  for await (const part of request) parts.push(part)
  return new Request(url, { method, headers, body: method === 'GET' ? undefined : Buffer.concat(parts) })
}

function go(response, to) {
  response.writeHead(303, { Location: String(to) }).end()
}

export function tell(response, status, what) {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(what))
}

// failure is what the library says went wrong. Where an answer has a challenge, the
// libraries tell of that alone, and leave the body, which says more, to their caller.
async function failure(error) {
  console.error(error)
  const response = error.response ?? error.cause
  const body = response instanceof Response && !response.bodyUsed ? await response.json() : {}
  return {
    error: error.error ?? body.error,
    error_description: error.error_description ?? body.error_description,
    code: error.code,
    message: error.message,
  }
}
