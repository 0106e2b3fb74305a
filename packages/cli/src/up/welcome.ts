import type { Network } from '@assay/protocol'
import { table } from '../output.ts'

/** The screen at the end of `up`: where everything is, and what to type next. */
export function welcome(network: Network): string {
  return `
Assay is running.

${table([
  ['gateway', `${network.gatewayUrl}/v1   (OpenAI-compatible, paid by x402)`],
  ['chain', `${network.rpcUrl}   (chain id ${network.chainId})`],
  ['models', `${network.models.map(({ name }) => name).join(', ')}   (enclave SIMULATED: development only)`],
  ...profileRows(network),
])}
In another terminal:

  npx assay chat "What is the capital of France?"
  npx assay chat "What is the capital of France?" --save bundle.json && npx assay verify bundle.json

`
}

/** Under the profile `opengradient`: what its clients are given. */
function profileRows({ profile, rpcUrl }: Network): [string, string][] {
  if (profile === undefined) return []
  return [
    ['profile', `${profile.name}: registry ${profile.registry} on ${rpcUrl}, gateway ${profile.endpoint}`],
    ['payer', `${profile.payer}   (made with this network, and the only one that pays; key in network.json)`],
  ]
}
