// A site that lets idp log people in; which library does it is its program's
// business. It is told what to be by the environment variable SITE, a JSON object
// with the names of RFC 7591, and tells a test what it learned as JSON.
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'

export const config = JSON.parse(process.env.SITE)

// serve answers for a relying party with the functions
//   begin(session, parameters)  the address of the authorization request
//   finish(session, url)        the callback: what there is to tell of the visitor
//   refresh(session)            the same, with the refresh token
//   revoke(session)             what introspection says before and after
//   itself()                    what introspection says of a token for the site itself
//   signOut(session)            the address of the logout request
export function serve(rp) {
  const sessions = new Map()

  async function answer(request, response) {
    const url = new URL(request.url, config.url)
    const id = /(?:^|; )visit=([^;]*)/.exec(request.headers.cookie)?.[1]
    const session = sessions.get(id)
    switch (`${request.method} ${url.pathname}`) {
      case 'GET /':
        return tell(response, session?.told ? 200 : 401, session?.told ?? {})
      case 'GET /login': {
        const fresh = randomUUID()
        sessions.set(fresh, {})
        response.setHeader('Set-Cookie', `visit=${fresh}; Path=/; HttpOnly; SameSite=Lax`)
        return go(response, await rp.begin(sessions.get(fresh), Object.fromEntries(url.searchParams)))
      }
      case 'GET /callback':
        session.told = await rp.finish(session, url)
        return go(response, '/')
      case 'POST /refresh':
        session.told = await rp.refresh(session)
        return tell(response, 200, session.told)
      case 'POST /revoke':
        return tell(response, 200, await rp.revoke(session))
      case 'POST /itself':
        return tell(response, 200, await rp.itself())
      case 'GET /sign-out':
        sessions.delete(id)
        return go(response, await rp.signOut(session))
      case 'GET /signed-out':
        return tell(response, 200, { state: url.searchParams.get('state') })
    }
    tell(response, 404, {})
  }

  const [host, port] = config.listen.split(':')
  createServer((request, response) => {
    answer(request, response).catch(async (error) => tell(response, 502, await failure(error)))
  }).listen(port, host)
}

function go(response, to) {
  response.writeHead(303, { Location: String(to) }).end()
}

function tell(response, status, what) {
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
