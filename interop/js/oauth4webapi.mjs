// oauth4webapi, the low level below openid-client: every request and every check
// is asked for by name.
import * as oauth from 'oauth4webapi'

import { config, key, metadata, serve } from './site.mjs'

const issuer = new URL(config.issuer)
const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer))
const client = config.initial_access_token
  ? await register(config.initial_access_token)
  : {
      client_id: config.client_id,
      client_secret: config.client_secret,
      id_token_signed_response_alg: config.id_token_signed_response_alg,
      userinfo_signed_response_alg: config.userinfo_signed_response_alg,
    }
const methods = {
  none: () => oauth.None(),
  client_secret_basic: () => oauth.ClientSecretBasic(client.client_secret),
  client_secret_post: () => oauth.ClientSecretPost(client.client_secret),
  private_key_jwt: () => oauth.PrivateKeyJwt(key),
}
const auth = methods[config.token_endpoint_auth_method]()

async function register(initialAccessToken) {
  const response = await oauth.dynamicClientRegistrationRequest(server, metadata, { initialAccessToken })
  return oauth.processDynamicClientRegistrationResponse(response)
}

const newKey = async () => oauth.DPoP(client, await oauth.generateKeyPair(config.dpop))

// again does a request once more where nothing but a DPoP nonce was missing.
async function again(request) {
  try {
    return await request()
  } catch (error) {
    if (oauth.isDPoPNonceError(error)) return request()
    throw error
  }
}

async function learned(session, { tokens, response }) {
  await oauth.validateApplicationLevelSignature(server, response)
  session.subject ??= oauth.getValidatedIdTokenClaims(tokens).sub
  session.accessToken = tokens.access_token
  session.refreshToken = tokens.refresh_token ?? session.refreshToken
  session.idToken = tokens.id_token ?? session.idToken
  return { ...tokens, userinfo: await userinfo(session, { DPoP: session.dpop }) }
}

function userinfo(session, options) {
  return again(async () => {
    const response = await oauth.userInfoRequest(server, client, session.accessToken, options)
    const claims = await oauth.processUserInfoResponse(server, client, session.subject, response)
    if (client.userinfo_signed_response_alg) {
      await oauth.validateApplicationLevelSignature(server, response)
    }
    return claims
  })
}

// refreshed asks for tokens, the access token for a resource if there is one.
function refreshed(session, resource) {
  return again(async () => {
    const response = await oauth.refreshTokenGrantRequest(server, client, auth, session.refreshToken, {
      DPoP: session.dpop,
      additionalParameters: resource && { resource },
    })
    return { response, tokens: await oauth.processRefreshTokenResponse(server, client, response) }
  })
}

async function push(session, request) {
  const answer = await again(async () => {
    const response = await oauth.pushedAuthorizationRequest(server, client, auth, request, { DPoP: session.dpop })
    return oauth.processPushedAuthorizationResponse(server, client, response)
  })
  return { client_id: client.client_id, request_uri: answer.request_uri }
}

async function introspect(token) {
  const response = await oauth.introspectionRequest(server, client, auth, token)
  return oauth.processIntrospectionResponse(server, client, response)
}

serve({
  dpop: newKey,

  async begin(session, parameters) {
    session.verifier = oauth.generateRandomCodeVerifier()
    session.state = oauth.generateRandomState()
    session.nonce = oauth.generateRandomNonce()
    session.maxAge = parameters.max_age && Number(parameters.max_age)
    const request = new URLSearchParams({
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
    if (config.resource) {
      request.append('resource', config.issuer) // userinfo, that is
      request.append('resource', config.resource)
    }
    const url = new URL(server.authorization_endpoint)
    url.search = session.par ? new URLSearchParams(await push(session, request)) : request
    return url
  },

  async finish(session, request) {
    const parameters = request.method === 'POST' ? new URLSearchParams(await request.text()) : new URL(request.url)
    const answer = oauth.validateAuthResponse(server, client, parameters, session.state)
    const granted = await again(async () => {
      const response = await oauth.authorizationCodeGrantRequest(
        server,
        client,
        auth,
        answer,
        config.redirect_uri,
        session.verifier,
        { DPoP: session.dpop, additionalParameters: config.resource && { resource: config.issuer } },
      )
      const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, {
        expectedNonce: session.nonce,
        maxAge: session.maxAge,
        requireIdToken: true,
      })
      return { response, tokens }
    })
    return learned(session, granted)
  },

  async refresh(session) {
    return learned(session, await refreshed(session, config.resource && config.issuer))
  },

  async asBearer(session) {
    return userinfo(session, {})
  },

  async atResource(session) {
    const { tokens } = await refreshed(session, config.resource)
    session.refreshToken = tokens.refresh_token
    const response = await oauth.protectedResourceRequest(
      tokens.access_token,
      'GET',
      new URL(config.resource),
      undefined,
      undefined,
      { DPoP: session.dpop },
    )
    return response.json()
  },

  async revoke(session) {
    const before = await introspect(session.refreshToken)
    await oauth.processRevocationResponse(
      await oauth.revocationRequest(server, client, auth, session.refreshToken),
    )
    return { before, after: await introspect(session.refreshToken) }
  },

  async itself() {
    const DPoP = config.dpop && (await newKey())
    const tokens = await again(async () => {
      const response = await oauth.clientCredentialsGrantRequest(server, client, auth, {}, { DPoP })
      return oauth.processClientCredentialsResponse(server, client, response)
    })
    return introspect(tokens.access_token)
  },

  async device(session) {
    const parameters = { scope: config.scope }
    const response = await oauth.deviceAuthorizationRequest(server, client, auth, parameters)
    session.device = await oauth.processDeviceAuthorizationResponse(server, client, response)
    return session.device
  },

  // One question: when to ask again is for the caller to decide.
  async allowed(session) {
    const { device_code } = session.device
    const response = await oauth.deviceCodeGrantRequest(server, client, auth, device_code)
    const tokens = await oauth.processDeviceCodeResponse(server, client, response)
    return learned(session, { tokens, response })
  },

  async bearer(assertion) {
    const grant = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
    const response = await oauth.genericTokenEndpointRequest(server, client, auth, grant, { assertion })
    return oauth.processGenericTokenEndpointResponse(server, client, response)
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
