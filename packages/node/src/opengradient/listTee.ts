import { type PollLoop, pollLoop } from '@assay/chain'
import { type Network, type OpenGradientProfile, openGradientRegistryAbi } from '@assay/protocol'
import { type TeeRegistration, teeIdOf, teeRegistrationDigest } from '@assay/protocol/opengradient'
import {
  type Address,
  bytesToHex,
  type Hex,
  hexToBytes,
  isAddressEqual,
  type PublicClient,
  zeroHash,
} from 'viem'
import type { Sender } from '../chain/keyRegistry.ts'
import type { Enclave } from '../enclaves/enclave.ts'

const ROUND_MS = 2_000
/** The registry's type of an enclave that serves models. */
const LLM_PROXY = 0
/** Seconds between two heartbeats: a quarter of what the registry allows. */
export const HEARTBEAT_SECONDS = 900

export type ListTeeParameters = {
  client: PublicClient
  /** Sends as the operator. */
  sender: Sender
  network: Network
  profile: OpenGradientProfile
  /** The enclave whose receipt key was admitted, if there is one yet. */
  admitted: () => Enclave | undefined
  log: (event: string, facts: Record<string, unknown>) => void
}

/** What /heartbeat/status tells of it. */
export type HeartbeatStatus = {
  sent: number
  errors: number
  /** Unix seconds. */
  lastSuccess: number | null
  lastTransaction: Hex | null
  lastError: string | null
}

export type TeeListing = { status: () => HeartbeatStatus; close: () => Promise<void> }

/** Has the enclave's RSA key in the compatibility registry, whichever enclave it is at the time, and keeps it fresh there. */
export function listTee(parameters: ListTeeParameters): TeeListing {
  const { client, sender, network, profile, admitted, log } = parameters
  const registry = { address: profile.registry, abi: openGradientRegistryAbi } as const
  const status: HeartbeatStatus = {
    sent: 0,
    errors: 0,
    lastSuccess: null,
    lastTransaction: null,
    lastError: null,
  }

  async function send(functionName: string, args: readonly unknown[]): Promise<void> {
    const receipt = (await sender.send({ ...registry, functionName, args })) as { transactionHash: Hex }
    status.sent += 1
    status.lastSuccess = Math.floor(Date.now() / 1000)
    status.lastTransaction = receipt.transactionHash
    status.lastError = null
  }

  async function register(enclave: Enclave, der: Uint8Array): Promise<void> {
    const registration: TeeRegistration = {
      owner: sender.address,
      // What is paid goes into the till of the gateway that was called; this one is told to clients and used by none.
      paymentAddress: sender.address,
      endpoint: profile.endpoint,
      publicKey: bytesToHex(der),
      tlsCertificate: profile.tlsCertificate,
    }
    const place = { chainId: network.chainId, registry: profile.registry }
    const signature = await enclave.sign(teeRegistrationDigest(registration, place))
    const { paymentAddress, endpoint, publicKey, tlsCertificate } = registration
    await send('registerTEE', [paymentAddress, endpoint, publicKey, tlsCertificate, signature])
    log('tee_listed', { teeId: enclave.tee?.id })
  }

  /** Switches off what this operator listed in an earlier life, or before a rotation: nobody has those keys any more. */
  async function retireOthers(id: Hex): Promise<void> {
    const active = await client.readContract({
      ...registry,
      functionName: 'getActiveTEEs',
      args: [LLM_PROXY],
    })
    for (const { owner, publicKey } of active) {
      const other = teeIdOf(hexToBytes(publicKey))
      if (isAddressEqual(owner, sender.address) && other !== id) await send('disableTEE', [other])
    }
  }

  async function round(): Promise<void> {
    const enclave = admitted()
    if (enclave?.tee === undefined) return
    const { id, der } = enclave.tee
    const args = [enclave.key as Address] as const
    const listed = await client.readContract({ ...registry, functionName: 'teeOf', args })
    if (listed === zeroHash) {
      await register(enclave, der)
      return await retireOthers(id)
    }
    if (Date.now() / 1000 - (status.lastSuccess ?? 0) >= HEARTBEAT_SECONDS) await send('heartbeat', [id])
  }

  const loop: PollLoop = pollLoop({
    interval: ROUND_MS,
    round,
    onError(error) {
      status.errors += 1
      status.lastError = error instanceof Error ? (error.message.split('\n')[0] ?? error.name) : String(error)
      log('tee_listing_failed', { reason: status.lastError })
    },
  })
  return { status: () => ({ ...status }), close: () => loop.stop() }
}
