import { deploymentOf, ENGINE_CLASS, type Network, nodeBondAbi, teeRegistryAbi } from '@assay/protocol'
import type { Abi, Address, Hex, PublicClient } from 'viem'
import type { BondedKey } from '../enclaves/bondedKey.ts'
import type { Enclave } from '../enclaves/enclave.ts'
import type { KeyRecord, KeyRegistry } from '../register.ts'

/** Sends transactions as the operator, one after another; resolves when mined. */
export type Sender = {
  address: Address
  send: (call: {
    address: Address
    abi: Abi
    functionName: string
    args: readonly unknown[]
  }) => Promise<unknown>
}

export type KeyRegistryParameters = {
  client: PublicClient
  sender: Sender
  network: Network
  enclave: Enclave
  /** Fresh evidence, stored where `evidenceUri` serves it. Called for each proposal: the leaf lives three hours. */
  makeEvidence: () => Promise<Hex>
  evidenceUri: (evidenceHash: Hex) => string
}

/** TeeRegistry as `keepRegistered` wants it. */
export function keyRegistryOf(parameters: KeyRegistryParameters): KeyRegistry {
  const { client, sender, network, enclave, makeEvidence, evidenceUri } = parameters
  const address = network.contracts.TeeRegistry
  return {
    read: (key) => readKey(client, network, key, { engineClasses: enclave.engineClasses, bonded: false }),
    async propose() {
      const evidenceHash = await makeEvidence()
      await sender.send({
        address,
        abi: teeRegistryAbi,
        functionName: 'proposeKey',
        args: [
          enclave.key,
          enclave.hardwareType,
          enclave.rootHash,
          enclave.measurement,
          enclave.engineClasses,
          evidenceHash,
          evidenceUri(evidenceHash),
        ],
      })
    },
  }
}

/** TeeRegistry for a key that only the operator's bond stands behind: it counts from its registration on. */
export function bondedKeyRegistryOf(parameters: {
  client: PublicClient
  sender: Sender
  network: Network
  bonded: BondedKey
  /** Corrects what the bond says of this node, before its key is known. */
  announce: () => Promise<void>
}): KeyRegistry {
  const { client, sender, network, bonded, announce } = parameters
  const at = { address: network.contracts.TeeRegistry, abi: teeRegistryAbi } as const
  return {
    read: (key) =>
      readKey(client, network, key, { engineClasses: 1 << ENGINE_CLASS.unattested, bonded: true }),
    async propose() {
      await announce()
      const signature = await bonded.possession(sender.address, deploymentOf(network))
      await sender.send({ ...at, functionName: 'registerBondedKey', args: [bonded.key, signature] })
    },
  }
}

/** One block's answer: what the record says, and whether all that stands behind the key holds at that block's time. */
async function readKey(
  client: PublicClient,
  network: Network,
  key: Address,
  { engineClasses, bonded }: { engineClasses: number; bonded: boolean },
): Promise<KeyRecord> {
  const { number: blockNumber, timestamp: now } = await client.getBlock()
  const at = { address: network.contracts.TeeRegistry, abi: teeRegistryAbi, blockNumber } as const
  const [found, [attestedAt, expiresAt]] = await Promise.all([
    client.readContract({ ...at, functionName: 'key', args: [key] }),
    client.readContract({ ...at, functionName: 'term', args: [key] }),
  ])
  const [node, , , , , , validFrom, revokedAt] = found
  const classes = [0, 1, 2].filter((engineClass) => (engineClasses >> engineClass) & 1)
  const allowed =
    validFrom === 0n
      ? [false]
      : await Promise.all(
          classes.map((engineClass) =>
            client.readContract({
              ...at,
              functionName: 'isKeyValidAt',
              args: [key, node, engineClass, bonded, now],
            }),
          ),
        )
  return { node, validFrom, revokedAt, attestedAt, expiresAt, counts: allowed.every(Boolean), now }
}

/** Corrects the URL under which NodeBond knows this operator; does nothing where it has no bond yet. */
export async function publishUrl(parameters: {
  client: PublicClient
  sender: Sender
  network: Network
  url: string
}): Promise<void> {
  const { client, sender, network, url } = parameters
  const address = network.contracts.NodeBond
  const [, , , known, registered] = await client.readContract({
    address,
    abi: nodeBondAbi,
    functionName: 'node',
    args: [sender.address],
  })
  if (registered && known !== url) {
    await sender.send({ address, abi: nodeBondAbi, functionName: 'setUrl', args: [url] })
  }
}
