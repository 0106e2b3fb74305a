/** Vectors of what binds an enclave to its keys. */
import { type Hex, keccak256 } from 'viem'
import {
  canonicalJsonBytes,
  enclaveBinding,
  evidenceToJson,
  gpuNonce,
  nitroMeasurement,
  registrationIdOf,
  sgxMeasurement,
  snpMeasurement,
  tag,
  tdxMeasurement,
  toBase64,
} from '../../src/index.ts'
import { account, deployment, deploymentJson, key, utf8, type Vector, word } from './world.ts'

export function enclaves(): { [kind: string]: Vector[] } {
  const evidence = {
    kind: 'nitro-sim',
    document: utf8('a document'),
    tlsKeyHash: word('tls'),
    hpkeKeyHash: `0x${'00'.repeat(32)}`,
    anchorBlock: 1_234_567_890n,
    anchorHash: word('anchor'),
  } as const
  const evidenceBytes = canonicalJsonBytes(evidenceToJson(evidence))
  const measurement = nitroMeasurement(`0x${'01'.repeat(48)}`, `0x${'02'.repeat(48)}`, `0x${'03'.repeat(48)}`)
  const rootDer = utf8('the DER of a root certificate')
  const zero: Hex = `0x${'00'.repeat(32)}`
  const teeRegistry = account('tee registry')
  const attested = {
    node: account('node'),
    key,
    hardwareType: tag('nitro-sim'),
    rootHash: keccak256(rootDer),
    measurement,
    engineClasses: 1,
    evidenceHash: keccak256(evidenceBytes),
  }
  const bonded = {
    ...attested,
    hardwareType: zero,
    rootHash: zero,
    measurement: zero,
    evidenceHash: zero,
    engineClasses: 4,
  }
  const binding = {
    node: account('node'),
    key,
    tlsKeyHash: evidence.tlsKeyHash,
    hpkeKeyHash: evidence.hpkeKeyHash,
    anchorHash: evidence.anchorHash,
  }
  const { anchorBlock } = evidence
  const userData = enclaveBinding(deployment, { ...binding, anchorBlock })
  const register = (byte: string) => `0x${byte.repeat(48)}` as const
  const tdx = {
    mrTd: register('06'),
    mrConfigId: register('07'),
    rtmrs: [register('08'), register('09'), register('0a'), register('0b')],
  } as const
  const sgx = { mrEnclave: `0x${'0c'.repeat(32)}`, configId: `0x${'0d'.repeat(64)}` } as const
  const snp = { launchDigest: `0x${'04'.repeat(48)}`, hostData: `0x${'05'.repeat(32)}` } as const
  return {
    registrations: [attested, bonded].map((registration) => ({
      chainId: '31337',
      teeRegistry,
      ...registration,
      registrationId: registrationIdOf(31337, teeRegistry, registration),
    })),
    bindings: [{ deployment: deploymentJson, ...binding, anchorBlock: anchorBlock.toString(), userData }],
    measurements: [
      {
        pcr0: `0x${'01'.repeat(48)}`,
        pcr1: `0x${'02'.repeat(48)}`,
        pcr2: `0x${'03'.repeat(48)}`,
        measurement,
      },
    ],
    snpMeasurements: [snp].map((fields) => ({
      ...fields,
      measurement: snpMeasurement(fields.launchDigest, fields.hostData),
    })),
    tdxMeasurements: [tdx].map(({ mrTd, mrConfigId, rtmrs }) => ({
      mrTd,
      mrConfigId,
      rtmrs: [...rtmrs],
      measurement: tdxMeasurement(mrTd, mrConfigId, rtmrs),
    })),
    sgxMeasurements: [sgx].map((fields) => ({
      ...fields,
      measurement: sgxMeasurement(fields.mrEnclave, fields.configId),
    })),
    gpuNonces: [userData].map((binding) => ({ userData: binding, nonce: gpuNonce(binding) })),
    roots: [{ der: toBase64(rootDer), rootHash: keccak256(rootDer) }],
    evidence: [
      {
        evidence: evidenceToJson(evidence),
        bytes: new TextDecoder().decode(evidenceBytes),
        evidenceHash: keccak256(evidenceBytes),
      },
    ],
  }
}
