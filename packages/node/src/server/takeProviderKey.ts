import {
  AssayError,
  type Deployment,
  type DialectError,
  decodeProviderKey,
  PROVIDER_KEYS_PATH,
  providerKeyDigest,
  recoverSigner,
} from '@assay/protocol'
import type { Address } from 'viem'
import { badRequest } from '../dialects/refusal.ts'
import type { SealedKey } from '../engines/upstream/sealedKey.ts'
import type { ConfidentialKey } from '../keyRing.ts'
import type { RawRequest } from './rawRequest.ts'

export type TakeProviderKeyParameters = {
  operator: Address
  deployment: Deployment
  /** By name: those that the models of this node wait for, or have. */
  sealedKeys: ReadonlyMap<string, SealedKey>
}

/** What the owner of a key is told. */
export type Taken = { provider: string; name: string }

/**
 * Takes the key of a provider's API out of a request that was encrypted to this enclave (docs/spec.md §12). Whoever could
 * put one of his own in its place would read at the provider what clients ask, so the operator signs it; and a key goes to
 * the provider that its owner names and to no other, whatever the node's file says, since the host may have written that.
 */
export async function takeProviderKey(
  { raw, key: opened }: { raw: RawRequest; key: ConfidentialKey },
  { operator, deployment, sealedKeys }: TakeProviderKeyParameters,
): Promise<Taken | { error: DialectError }> {
  if (raw.method !== 'POST' || raw.path !== PROVIDER_KEYS_PATH) {
    return fail(404, 'not_found', `There is no ${raw.method} at this path.`)
  }
  try {
    const { key, signature } = decodeProviderKey(raw.body)
    const { provider, name, secret, sequence } = key
    if (key.enclave !== opened.key) {
      return fail(409, 'other_enclave', 'The key was signed for another enclave; ask for the one of now.')
    }
    if ((await recoverSigner(providerKeyDigest(key, deployment), signature)) !== operator) {
      return fail(403, 'not_operator', 'The key is not signed by the operator of this node.')
    }
    const sealed = sealedKeys.get(name)
    if (sealed === undefined) {
      const known = [...sealedKeys.keys()].join(', ')
      const message = `No model of this node has a key of this name; ${known === '' ? 'none waits for any' : `there are: ${known}`}.`
      return fail(404, 'unknown_key', message)
    }
    if (sealed.provider !== provider) {
      const message = `The node would show this key to ${sealed.provider}, and it was given for another provider.`
      return fail(409, 'other_provider', message)
    }
    if (!sealed.give(secret, sequence)) {
      return fail(409, 'not_newer', 'This key is no newer than the one that the enclave has.')
    }
    return { provider, name }
  } catch (error) {
    if (!(error instanceof AssayError)) throw error
    return fail(400, error.code, error.shortMessage)
  }
}

const fail = (status: number, code: string, message: string): { error: DialectError } => ({
  error: badRequest(message, null, code, status),
})
