// An OpenID provider that idp relies on: oidc-provider, with its own pages for trying
// it out, which believe any name. It is told what to be by the environment variable
// PROVIDER, a JSON object.
import { Provider } from 'oidc-provider'

const config = JSON.parse(process.env.PROVIDER)

const provider = new Provider(config.issuer, {
  clients: [config.client],
  cookies: { keys: ['for tests'] },
  claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'] },
  features: { backchannelLogout: { enabled: true } },
  findAccount: async (_, sub) => ({
    accountId: sub,
    claims: async () => ({ sub, name: `Person ${sub}`, preferred_username: sub, email: `${sub}@partner.example`, email_verified: true }),
  }),
})
provider.on('server_error', (_, err) => console.error(err))
provider.on('grant.error', (_, err) => console.error(err.error_detail ?? err))
provider.on('backchannel.error', (_, err) => console.error('back channel', err))

const { hostname, port } = new URL(config.issuer)
provider.listen(port, hostname)
