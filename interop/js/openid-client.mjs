// openid-client, which is configured by discovery and checks by itself: state,
// nonce, iss (RFC 9207), the ID token and its signature, the subject at userinfo.
// It sends a request again where only a DPoP nonce was missing.
import * as client from 'openid-client'

import { config, key, metadata, serve } from './site.mjs'

const methods = {
  none: () => client.None(),
  client_secret_basic: () => client.ClientSecretBasic(config.client_secret),
  client_secret_post: () => client.ClientSecretPost(config.client_secret),
  private_key_jwt: () => client.PrivateKeyJwt(key),
}
const issuer = new URL(config.issuer)
const auth = methods[config.token_endpoint_auth_method]()
const idp = config.initial_access_token
  ? await client.dynamicClientRegistration(issuer, metadata, auth, {
      initialAccessToken: config.initial_access_token,
    })
  : await client.discovery(
      issuer,
      config.client_id,
      {
        id_token_signed_response_alg: config.id_token_signed_response_alg,
        userinfo_signed_response_alg: config.userinfo_signed_response_alg,
      },
      auth,
    )
client.enableNonRepudiationChecks(idp) // verify the signature, though the token came over TLS

const newKey = async () => client.getDPoPHandle(idp, await client.randomDPoPKeyPair(config.dpop))
const bound = (session) => ({ DPoP: session.dpop })

async function learned(session, tokens) {
  session.subject ??= tokens.claims().sub
  session.accessToken = tokens.access_token
  session.refreshToken = tokens.refresh_token ?? session.refreshToken
  session.idToken = tokens.id_token ?? session.idToken
  return {
    ...tokens,
    userinfo: await client.fetchUserInfo(idp, tokens.access_token, session.subject, bound(session)),
  }
}

serve({
  dpop: newKey,

  async begin(session, parameters) {
    session.verifier = client.randomPKCECodeVerifier()
    session.state = client.randomState()
    session.nonce = client.randomNonce()
    session.maxAge = parameters.max_age && Number(parameters.max_age)
    const request = new URLSearchParams({
      redirect_uri: config.redirect_uri,
      scope: config.scope,
      code_challenge: await client.calculatePKCECodeChallenge(session.verifier),
      code_challenge_method: 'S256',
      state: session.state,
      nonce: session.nonce,
      ...parameters,
    })
    if (config.resource) {
      request.append('resource', config.issuer) // userinfo, that is
      request.append('resource', config.resource)
    }
    return session.par
      ? client.buildAuthorizationUrlWithPAR(idp, request, bound(session))
      : client.buildAuthorizationUrl(idp, request)
  },

  async finish(session, request) {
    const checks = {
      pkceCodeVerifier: session.verifier,
      expectedState: session.state,
      expectedNonce: session.nonce,
      maxAge: session.maxAge,
      idTokenExpected: true,
    }
    const target = config.resource && { resource: config.issuer }
    return learned(session, await client.authorizationCodeGrant(idp, request, checks, target, bound(session)))
  },

  async refresh(session) {
    const target = config.resource && { resource: config.issuer }
    return learned(session, await client.refreshTokenGrant(idp, session.refreshToken, target, bound(session)))
  },

  async asBearer(session) {
    return client.fetchUserInfo(idp, session.accessToken, session.subject)
  },

  async atResource(session) {
    const target = { resource: config.resource }
    const tokens = await client.refreshTokenGrant(idp, session.refreshToken, target, bound(session))
    session.refreshToken = tokens.refresh_token
    const response = await client.fetchProtectedResource(
      idp,
      tokens.access_token,
      new URL(config.resource),
      'GET',
      undefined,
      undefined,
      bound(session),
    )
    return response.json()
  },

  async revoke(session) {
    const before = await client.tokenIntrospection(idp, session.refreshToken)
    await client.tokenRevocation(idp, session.refreshToken)
    return { before, after: await client.tokenIntrospection(idp, session.refreshToken) }
  },

  async itself() {
    const DPoP = config.dpop && (await newKey())
    const tokens = await client.clientCredentialsGrant(idp, undefined, { DPoP })
    return client.tokenIntrospection(idp, tokens.access_token)
  },

  async device(session) {
    const shown = await client.initiateDeviceAuthorization(idp, { scope: config.scope })
    session.polling = client.pollDeviceAuthorizationGrant(idp, shown)
    session.polling.catch(() => {}) // allowed() tells of it
    return shown
  },

  async allowed(session) {
    return learned(session, await session.polling)
  },

  async bearer(assertion) {
    return client.genericGrantRequest(idp, 'urn:ietf:params:oauth:grant-type:jwt-bearer', { assertion })
  },

  async signOut(session) {
    return client.buildEndSessionUrl(idp, {
      id_token_hint: session.idToken,
      post_logout_redirect_uri: config.post_logout_redirect_uri,
      state: 'bye',
    })
  },
})
