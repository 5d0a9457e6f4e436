// oauth4webapi, the low level below openid-client: every request and every check
// is asked for by name.
import * as oauth from 'oauth4webapi'

import { config, serve } from './site.mjs'

const methods = {
  none: oauth.None,
  client_secret_basic: oauth.ClientSecretBasic,
  client_secret_post: oauth.ClientSecretPost,
}
const issuer = new URL(config.issuer)
const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer))
const client = {
  client_id: config.client_id,
  id_token_signed_response_alg: config.id_token_signed_response_alg,
}
const auth = methods[config.token_endpoint_auth_method](config.client_secret)

async function learned(session, tokens, response) {
  await oauth.validateApplicationLevelSignature(server, response)
  session.subject ??= oauth.getValidatedIdTokenClaims(tokens).sub
  session.refreshToken = tokens.refresh_token ?? session.refreshToken
  session.idToken = tokens.id_token ?? session.idToken
  const userinfo = await oauth.userInfoRequest(server, client, tokens.access_token)
  return {
    ...tokens,
    userinfo: await oauth.processUserInfoResponse(server, client, session.subject, userinfo),
  }
}

async function introspect(token) {
  const response = await oauth.introspectionRequest(server, client, auth, token)
  return oauth.processIntrospectionResponse(server, client, response)
}

serve({
  async begin(session, parameters) {
    session.verifier = oauth.generateRandomCodeVerifier()
    session.state = oauth.generateRandomState()
    session.nonce = oauth.generateRandomNonce()
    session.maxAge = parameters.max_age && Number(parameters.max_age)
    const url = new URL(server.authorization_endpoint)
    url.search = new URLSearchParams({
      client_id: client.client_id,
      response_type: 'code',
      redirect_uri: config.redirect_uri,
      scope: config.scope,
      code_challenge: await oauth.calculatePKCECodeChallenge(session.verifier),
      code_challenge_method: 'S256',
      state: session.state,
      nonce: session.nonce,
      ...parameters,
    })
    return url
  },

  async finish(session, url) {
    const answer = oauth.validateAuthResponse(server, client, url, session.state)
    const response = await oauth.authorizationCodeGrantRequest(
      server,
      client,
      auth,
      answer,
      config.redirect_uri,
      session.verifier,
    )
    const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, {
      expectedNonce: session.nonce,
      maxAge: session.maxAge,
      requireIdToken: true,
    })
    return learned(session, tokens, response)
  },

  async refresh(session) {
    const response = await oauth.refreshTokenGrantRequest(server, client, auth, session.refreshToken)
    const tokens = await oauth.processRefreshTokenResponse(server, client, response)
    return learned(session, tokens, response)
  },

  async revoke(session) {
    const before = await introspect(session.refreshToken)
    await oauth.processRevocationResponse(
      await oauth.revocationRequest(server, client, auth, session.refreshToken),
    )
    return { before, after: await introspect(session.refreshToken) }
  },

  async itself() {
    const response = await oauth.clientCredentialsGrantRequest(server, client, auth, {})
    const tokens = await oauth.processClientCredentialsResponse(server, client, response)
    return introspect(tokens.access_token)
  },

  async signOut(session) {
    const url = new URL(server.end_session_endpoint)
    url.search = new URLSearchParams({
      id_token_hint: session.idToken,
      post_logout_redirect_uri: config.post_logout_redirect_uri,
      state: 'bye',
    })
    return url
  },
})
