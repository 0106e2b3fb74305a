import { closeSync, openSync, readSync } from 'node:fs'
import {
  AssayError,
  CONTRACT_NAMES,
  type Contracts,
  type Network,
  type NetworkModel,
  type OpenGradientProfile,
} from '@assay/protocol'
import { type Address, type Hex, isAddress, isHex, size } from 'viem'
import { writeDurably } from './durableFile.ts'

/** Largest network file that is read, bytes. */
const MAX_NETWORK_BYTES = 1024 * 1024
const MAX_LIST = 1024

/** Writes `network.json` so that a reader never sees half of it. */
export function saveNetwork(file: string, network: Network): void {
  writeDurably(file, `${JSON.stringify(network, null, 2)}\n`)
}

/** Whether the chain runs on this machine: a development network, whose servers do too and may be dialled. */
export function isLocal({ rpcUrl }: Pick<Network, 'rpcUrl'>): boolean {
  return ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(rpcUrl).hostname)
}

/** Reads and checks `network.json`. @throws AssayError `not_found` | `config` | `malformed` */
export function loadNetwork(file: string): Network {
  let bytes: Uint8Array
  try {
    bytes = readBounded(file)
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? String(cause)
    const missing = reason === 'ENOENT'
    throw new AssayError(missing ? 'There is no network file.' : 'The network file cannot be read.', {
      code: missing ? 'not_found' : 'config',
      facts: missing ? { file } : { file, reason },
      next: 'Start the network (npm start), or point ASSAY_NETWORK at the network.json you were given.',
      cause,
    })
  }
  try {
    if (bytes.length > MAX_NETWORK_BYTES) throw new Error('it is too large')
    return networkFrom(parsed(bytes))
  } catch (cause) {
    throw new AssayError('The network file is not usable.', {
      code: 'malformed',
      facts: { file, reason: cause instanceof Error ? cause.message : String(cause) },
      next: 'Restore it, or remove it and start the network again; it is written anew.',
      cause,
    })
  }
}

/** At most one byte more than may be read, for what a path names may have no end; a pipe, which has no size, is read too. */
function readBounded(file: string): Uint8Array {
  const descriptor = openSync(file, 'r')
  try {
    const bytes = Buffer.alloc(MAX_NETWORK_BYTES + 1)
    let at = 0
    for (let read = -1; read !== 0 && at < bytes.length; at += read)
      read = readSync(descriptor, bytes, at, bytes.length - at, null)
    return bytes.subarray(0, at)
  } finally {
    closeSync(descriptor)
  }
}

/** The parser's own words would quote the file, which may hold keys. */
function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    throw new Error('it is not JSON')
  }
}

function networkFrom(value: unknown): Network {
  const raw = record(value, 'the file')
  const chainId = raw.chainId
  if (typeof chainId !== 'number' || !Number.isSafeInteger(chainId) || chainId < 1)
    throw new Error('chainId is not a positive whole number')
  const named = record(raw.contracts, 'contracts')
  const contracts = Object.fromEntries(
    CONTRACT_NAMES.map((name) => [name, address(named[name], `contracts.${name}`)]),
  ) as Contracts
  const demo = record(raw.accounts ?? {}, 'accounts').demo
  return {
    chainId,
    rpcUrl: url(raw.rpcUrl, 'rpcUrl'),
    gatewayUrl: url(raw.gatewayUrl, 'gatewayUrl'),
    deploymentId: word(raw.deploymentId, 'deploymentId'),
    contracts,
    gateway: address(raw.gateway, 'gateway'),
    nodes: operators(raw.nodes, 'nodes'),
    validators: operators(raw.validators, 'validators'),
    accounts: demo === undefined ? {} : { demo: account(demo) },
    models: list(raw.models, 'models').map(modelFrom),
    ...(raw.profile === undefined ? {} : { profile: profileFrom(raw.profile) }),
  }
}

function record(value: unknown, where: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`${where} is not an object`)
  return value as Record<string, unknown>
}

function list(value: unknown, where: string): unknown[] {
  if (!Array.isArray(value) || value.length > MAX_LIST) throw new Error(`${where} is not a list`)
  return value
}

function text(value: unknown, where: string): string {
  if (typeof value !== 'string' || value.length > 2048) throw new Error(`${where} is not a text`)
  return value
}

function url(value: unknown, where: string): string {
  const given = text(value, where)
  const scheme = URL.parse(given)?.protocol
  if (scheme !== 'http:' && scheme !== 'https:') throw new Error(`${where} is not an http address`)
  return given
}

function address(value: unknown, where: string): Address {
  if (typeof value !== 'string' || !isAddress(value, { strict: false }))
    throw new Error(`${where} is not an address`)
  return value
}

function word(value: unknown, where: string): Hex {
  if (!isHex(value) || size(value) !== 32) throw new Error(`${where} is not 32 bytes`)
  return value
}

function account(value: unknown): { address: Address; privateKey: Hex } {
  const raw = record(value, 'accounts.demo')
  return {
    address: address(raw.address, 'accounts.demo.address'),
    privateKey: word(raw.privateKey, 'accounts.demo.privateKey'),
  }
}

function operators(value: unknown, where: string): { operator: Address; url: string }[] {
  return list(value, where).map((entry, at) => {
    const raw = record(entry, `${where}[${at}]`)
    return {
      operator: address(raw.operator, `${where}[${at}].operator`),
      url: url(raw.url, `${where}[${at}].url`),
    }
  })
}

function profileFrom(value: unknown): OpenGradientProfile {
  const raw = record(value, 'profile')
  if (raw.name !== 'opengradient') throw new Error('profile.name is not opengradient')
  if (!isHex(raw.tlsCertificate) || raw.tlsCertificate.length > 16_384)
    throw new Error('profile.tlsCertificate is not a certificate')
  return {
    name: raw.name,
    payer: address(raw.payer, 'profile.payer'),
    registry: address(raw.registry, 'profile.registry'),
    settlement: address(raw.settlement, 'profile.settlement'),
    endpoint: url(raw.endpoint, 'profile.endpoint'),
    tlsCertificate: raw.tlsCertificate,
  }
}

function modelFrom(value: unknown, at: number): NetworkModel {
  const raw = record(value, `models[${at}]`)
  const { contextLength } = raw
  if (typeof contextLength !== 'number' || !Number.isSafeInteger(contextLength) || contextLength < 0) {
    throw new Error(`models[${at}].contextLength is not a whole number`)
  }
  return {
    name: text(raw.name, `models[${at}].name`),
    modelId: word(raw.modelId, `models[${at}].modelId`),
    contextLength,
    modes: list(raw.modes, `models[${at}].modes`).map((mode) => text(mode, `models[${at}].modes`)),
  }
}
