// What is sold here, found as any client of the x402 bazaar finds it, with the terms on which it is sold.
import { createAssay } from '@assay/sdk'
import { HTTPFacilitatorClient } from '@x402/core/http'
import { withBazaar } from '@x402/extensions/bazaar'

const privateKey = process.env.ASSAY_WALLET_KEY as `0x${string}`
const { gatewayUrl } = createAssay({ privateKey }).network
const facilitator = new HTTPFacilitatorClient({ url: `${gatewayUrl}/facilitator` })
const { bazaar } = withBazaar(facilitator).extensions
const { resources } = await bazaar.search({ query: 'smollm2 messages' })
for (const { resource, accepts } of resources) {
  console.log(resource, accepts.map(({ scheme, amount }) => `${scheme}: at most ${amount}`).join(', '))
}
