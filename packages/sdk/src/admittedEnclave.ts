import {
  CONFIDENTIAL_PATH,
  deploymentOf,
  enclaveBinding,
  evidenceFromJson,
  evidenceHashOf,
  fromBase64,
  type Network,
  ohttpKeyHash,
  parseCanonicalJson,
} from '@assay/protocol'
import { verifyEvidence } from '@assay/verify'
import type { Address } from 'viem'
import type { ChainReader, EnclaveKey } from './chainReader.ts'
import { getDocument, getJsonDocument, MAX_DOCUMENT_BYTES, type Source } from './documents.ts'
import { SdkError } from './errors.ts'
import { readingChain } from './readingChain.ts'

/** Seconds between evidence and admission of a key, as the verifier allows them. */
const ADMISSION_SECONDS = 86_400n

/** An enclave that was checked against the chain. */
export type AdmittedEnclave = {
  /** Address of its signing key. */
  key: Address
  /** Key configuration (RFC 9458 §3) to encrypt to. */
  config: Uint8Array
  registered: EnclaveKey
}

export type AdmittedEnclaveParameters = {
  network: Network
  chain: ChainReader
  source: Source
  /** Of the request for an enclave, e.g. `?model=…`. */
  query?: string | undefined
  /** For which its key must be admitted. */
  engineClass: number
  /** What is wrong with its operator, if anything. */
  whyNot: (operator: Address) => string | undefined
  signal: AbortSignal
}

/**
 * Finds an enclave and makes sure, before a byte is encrypted, that the chain admitted its signing key, that the
 * attestation behind that key names this encryption key, and that the attestation holds. Whoever carries the documents is
 * believed in nothing.
 * @throws SdkError `unreachable` | `not_confidential`
 */
export async function admittedEnclave(parameters: AdmittedEnclaveParameters): Promise<AdmittedEnclave> {
  const { network, chain, source, query = '', engineClass, whyNot, signal } = parameters
  const offer = await getJsonDocument(source, `${CONFIDENTIAL_PATH}${query}`, signal)
  if (offer === undefined) throw untrusted(`the ${source.name} answers with something else`)
  const { key, ohttpKey } = offer as { key?: unknown; ohttpKey?: unknown }
  if (typeof key !== 'string' || !/^0x[0-9a-f]{40}$/.test(key) || typeof ohttpKey !== 'string') {
    throw untrusted(`the ${source.name} names no key`)
  }
  const registered = await readingChain(chain.enclaveKey(key as Address, engineClass))
  if (registered === undefined || !registered.valid) throw untrusted('the chain does not admit its key', key)
  const strange = whyNot(registered.node)
  if (strange !== undefined) throw untrusted(strange, key)
  const bytes = await getDocument(source, `/v1/evidence/${registered.evidenceHash}`, signal)
  const { config, evidence } = readDocuments(ohttpKey, bytes, key)
  if (evidenceHashOf(evidence) !== registered.evidenceHash)
    throw untrusted('its evidence is not the registered one', key)
  if (evidence.hpkeKeyHash !== ohttpKeyHash(config)) throw untrusted('its evidence names another key', key)
  const verdict = verifyEvidence(evidence, {
    ...registered,
    rules: await readingChain(chain.enclaveRules(registered, evidence)),
    userData: enclaveBinding(deploymentOf(network), {
      ...evidence,
      node: registered.node,
      key: key as Address,
    }),
    now: registered.validFrom,
    earlier: ADMISSION_SECONDS,
  })
  if (verdict?.ok !== true) throw untrusted(verdict?.reason ?? 'nothing here verifies its kind', key)
  return { key: key as Address, config, registered }
}

function readDocuments(ohttpKey: string, evidence: Uint8Array, key: string) {
  try {
    return {
      config: fromBase64(ohttpKey),
      evidence: evidenceFromJson(parseCanonicalJson(evidence, MAX_DOCUMENT_BYTES)),
    }
  } catch {
    throw untrusted('its documents cannot be read', key)
  }
}

function untrusted(reason: string, key?: string): SdkError {
  return new SdkError('No enclave can be trusted with this request, so nothing was sent.', {
    code: 'not_confidential',
    facts: { reason, ...(key === undefined ? {} : { key }) },
    next: 'Do not send it in clear unless whoever carries it may read it.',
  })
}
