import type { Network } from '@assay/protocol'
import type { AssayFetchOptions } from './assayFetch.ts'
import type { ChainReader } from './chainReader.ts'
import { type Pay, signingPayer } from './signingPayer.ts'

/** A gateway that can be asked. */
export type Route = {
  /** The network as this gateway's clients see it. */
  network: Network
  origin: string
  /** Pays its offers; undefined where an API key pays. */
  pay: Pay | undefined
}

export type Routes = {
  /** Those that have not failed lately, in the order they were given, then those that have. */
  inOrder(): Route[]
  /** Asked last for a while. */
  rest(route: Route): void
}

/** How long a gateway that failed is asked last, milliseconds. */
const REST_MS = 30_000

/** Gateways of one network. An API key is one under a grant to one gateway, so it has no other to go to. */
export function createRoutes(options: AssayFetchOptions, network: Network, chain: ChainReader): Routes {
  const { apiKey, fallbacks = [] } = options
  const gateways = apiKey === undefined ? [network, ...fallbacks] : [network]
  const routes = gateways.map(({ gateway, gatewayUrl }): Route => {
    const seen = { ...network, gateway, gatewayUrl }
    return {
      network: seen,
      origin: new URL(gatewayUrl).origin,
      pay: apiKey === undefined ? signingPayer(options, seen, chain) : undefined,
    }
  })
  const restsUntil = new Map<Route, number>()
  const isResting = (route: Route) => (restsUntil.get(route) ?? 0) > Date.now()
  return {
    inOrder: () => [
      ...routes.filter((route) => !isResting(route)),
      ...routes.filter((route) => isResting(route)),
    ],
    rest: (route) => void restsUntil.set(route, Date.now() + REST_MS),
  }
}
