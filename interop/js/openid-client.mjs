// openid-client, which is configured by discovery and checks by itself: state,
// nonce, iss (RFC 9207), the ID token and its signature, the subject at userinfo.
import * as client from 'openid-client'

import { config, serve } from './site.mjs'

const methods = {
  none: client.None,
  client_secret_basic: client.ClientSecretBasic,
  client_secret_post: client.ClientSecretPost,
}
const idp = await client.discovery(
  new URL(config.issuer),
  config.client_id,
  { id_token_signed_response_alg: config.id_token_signed_response_alg },
  methods[config.token_endpoint_auth_method](config.client_secret),
)
client.enableNonRepudiationChecks(idp) // verify the signature, though the token came over TLS

async function learned(session, tokens) {
  session.subject ??= tokens.claims().sub
  session.refreshToken = tokens.refresh_token ?? session.refreshToken
  session.idToken = tokens.id_token ?? session.idToken
  return {
    ...tokens,
    userinfo: await client.fetchUserInfo(idp, tokens.access_token, session.subject),
  }
}

serve({
  async begin(session, parameters) {
    session.verifier = client.randomPKCECodeVerifier()
    session.state = client.randomState()
    session.nonce = client.randomNonce()
    session.maxAge = parameters.max_age && Number(parameters.max_age)
    return client.buildAuthorizationUrl(idp, {
      redirect_uri: config.redirect_uri,
      scope: config.scope,
      code_challenge: await client.calculatePKCECodeChallenge(session.verifier),
      code_challenge_method: 'S256',
      state: session.state,
      nonce: session.nonce,
      ...parameters,
    })
  },

  async finish(session, url) {
    const tokens = await client.authorizationCodeGrant(idp, url, {
      pkceCodeVerifier: session.verifier,
      expectedState: session.state,
      expectedNonce: session.nonce,
      maxAge: session.maxAge,
      idTokenExpected: true,
    })
    return learned(session, tokens)
  },

  async refresh(session) {
    return learned(session, await client.refreshTokenGrant(idp, session.refreshToken))
  },

  async revoke(session) {
    const before = await client.tokenIntrospection(idp, session.refreshToken)
    await client.tokenRevocation(idp, session.refreshToken)
    return { before, after: await client.tokenIntrospection(idp, session.refreshToken) }
  },

  async itself() {
    const tokens = await client.clientCredentialsGrant(idp)
    return client.tokenIntrospection(idp, tokens.access_token)
  },

  async signOut(session) {
    return client.buildEndSessionUrl(idp, {
      id_token_hint: session.idToken,
      post_logout_redirect_uri: config.post_logout_redirect_uri,
      state: 'bye',
    })
  },
})
