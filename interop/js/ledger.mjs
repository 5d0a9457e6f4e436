// A service that takes access tokens made for it (RFC 8707). oauth4webapi verifies
// them by RFC 9068, and the proof of those that are bound to a key (RFC 9449); then
// the service, whose client_id is its address, asks idp whether they still count.
import * as oauth from 'oauth4webapi'

import { config, listen, tell, whole } from './site.mjs'

const issuer = new URL(config.issuer)
const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer))
const client = { client_id: config.client_id }
const auth = oauth.ClientSecretBasic(config.client_secret)

listen(async (request, response) => {
  const claims = await oauth.validateJwtAccessToken(server, await whole(request, config.client_id), config.client_id)
  const token = request.headers.authorization.split(' ')[1]
  const answer = await oauth.introspectionRequest(server, client, auth, token)
  const { active, aud, token_type } = await oauth.processIntrospectionResponse(server, client, answer)
  const [header] = token.split('.')
  const { alg } = JSON.parse(Buffer.from(header, 'base64url'))
  tell(response, 200, { claims, alg, introspection: { active, aud, token_type } })
})
