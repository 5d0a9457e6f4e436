// A back end that verifies access tokens and says who asks. The part to copy is
// bearer.mjs. The environment tells it ISSUER, RESOURCE and PORT.
import { createServer } from 'node:http'
import { bearer } from './bearer.mjs'

const { ISSUER, RESOURCE, PORT } = process.env
const require = await bearer(ISSUER, RESOURCE)

const routes = {
  'GET /whoami': require('notes:read', (_, res, { sub, client_id, scope }) => {
    res.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify({ sub, client_id, scope }))
  }),
  'POST /notes': require('notes:write', (_, res) => res.writeHead(204).end()),
}

createServer((req, res) => {
  const route = routes[`${req.method} ${req.url.split('?')[0]}`] // no URL is made of it: //x/whoami is no /whoami
  return route ? route(req, res) : res.writeHead(404).end()
}).listen(Number(PORT), '127.0.0.1')
