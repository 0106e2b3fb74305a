import path from 'node:path'
import { createSender, DEVELOPMENT_ROLES, developmentAccount, publicClientOf } from '@assay/chain'
import {
  type ModelManifest,
  manifestUri,
  modelIdOf,
  modelRegistryAbi,
  type Network,
  type NetworkModel,
} from '@assay/protocol'
import type { Hex } from 'viem'

/** Price of the development model, OPG base units: 0.0001 OPG a call, 0.000001 an input and 0.000002 an output token. */
const DEVELOPMENT_PRICE = {
  perCall: 10n ** 14n,
  inputPrice: 10n ** 12n,
  outputPrice: 2n * 10n ** 12n,
} as const

/**
 * Publishes the development model, circuits, and those that ASSAY_UPSTREAMS names (docs/upstreams.md).
 * @returns them all, first the one that is asked where nobody names another: not one that the node was told not to serve
 */
export async function publishModels(network: Network, circuits: readonly string[]): Promise<NetworkModel[]> {
  const { readUpstreamManifests, SMOLLM2_MANIFEST, startCircuitEngine } = await import('@assay/node')
  const file = upstreamsFile()
  const models: NetworkModel[] = []
  const upstreams = file === undefined ? [] : readUpstreamManifests(file)
  const isLocalServed = process.env.ASSAY_LOCAL_MODEL !== 'off'
  for (const manifest of isLocalServed
    ? [SMOLLM2_MANIFEST, ...upstreams]
    : [...upstreams, SMOLLM2_MANIFEST]) {
    // What runs elsewhere has no weights to hash: its manifest stands for it (docs/spec.md §8).
    models.push(await publishModel(network, manifest, manifest.files[0]?.sha256 ?? modelIdOf(manifest)))
  }
  for (const circuit of circuits) {
    const { manifest, engine } = await startCircuitEngine(circuit)
    await engine.close()
    models.push(await publishModel(network, manifest, engine.prover?.weightsHash ?? modelIdOf(manifest)))
  }
  return models
}

/** The file of upstream models, wherever the command was called from; the servers run in another folder. */
export function upstreamsFile(): string | undefined {
  const file = process.env.ASSAY_UPSTREAMS
  return file === undefined || file === '' ? undefined : path.resolve(file)
}

/** Keys of the servers that ASSAY_UPSTREAMS names, out of this process's environment: the nodes alone get them. */
export async function takeProviderKeys(): Promise<Record<string, string>> {
  const file = upstreamsFile()
  if (file === undefined) return {}
  const { takeUpstreamKeys } = await import('@assay/node')
  return takeUpstreamKeys(file, process.env)
}

/**
 * Publishes the model unless the registry has it. The manifest itself stands in the URI, so that whoever can read the
 * chain can check which weights a receipt means, with no other server.
 */
async function publishModel(
  network: Network,
  manifest: ModelManifest,
  weightsHash: Hex,
): Promise<NetworkModel> {
  const modelId = modelIdOf(manifest)
  const address = network.contracts.ModelRegistry
  const found = await publicClientOf(network).readContract({
    address,
    abi: modelRegistryAbi,
    functionName: 'model',
    args: [modelId],
  })
  const [, publishedAt] = found
  if (publishedAt === 0n) {
    const uri = manifestUri(manifest)
    const { perCall, inputPrice, outputPrice } = DEVELOPMENT_PRICE
    const { privateKey } = developmentAccount(DEVELOPMENT_ROLES.publisher)
    await createSender({ network, privateKey }).send({
      address,
      abi: modelRegistryAbi,
      functionName: 'publish',
      args: [modelId, uri, weightsHash, perCall, inputPrice, outputPrice],
    })
  }
  const { name, contextLength, modes } = manifest
  return { name, modelId, contextLength, modes: [...modes] }
}
