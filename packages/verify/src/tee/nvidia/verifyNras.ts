import { type Hex, keccak256 } from 'viem'
import { Checklist, type Problem, type TeeReport } from '../checklist.ts'
import { isObject, type Jwks, type Jws, type JwsCode, jwsProblem, parseJws } from '../jose/jws.ts'
import { type NrasTokens, type SubmoduleCode, submoduleProblem } from './nrasTokens.ts'

const NRAS_ISSUER = 'https://nras.attestation.nvidia.com'
/** Furthest that a token's clock may be ahead, seconds. */
const MAX_AHEAD_SECONDS = 60n

export type VerifyNrasParameters = {
  /** The service's keys, fetched from its own address. */
  jwks: Jwks
  /** Time to judge as of, Unix seconds. */
  now: bigint
  /** Who must have issued the tokens; NVIDIA's service by default. */
  issuer?: string | undefined
  /** 32 bytes. Of an enclave: `gpuNonce(enclaveBinding(…))`. */
  expectedNonce?: Hex | undefined
  /** Device ids (`ueid`) known to be broken or stolen. */
  deniedDevices?: readonly string[] | undefined
}

/** The checks, in the order of their dependence; a name never changes its meaning. */
export const NRAS_STEPS = [
  'tokenShape', // compact JWS, JSON objects, within bounds
  'overallSignature', // ES384 by a key of the set
  'submodules', // exactly the device tokens that the overall token lists, by digest
  'deviceSignatures', // ES384 by a key of the set, each
  'issuer', // NVIDIA's service
  'tokenTime', // issued, and not expired
  'oneNonce', // all tokens answer the same challenge
  'nonce', // and that is ours
  'overallResult', // NVIDIA's verdict on all devices
  'deviceResults', // and on each
  'devicesDistinct', // no device twice
  'devicesAccepted', // policy: deny list
] as const
export type NrasStepName = (typeof NRAS_STEPS)[number]

export type NrasCode =
  | JwsCode
  | SubmoduleCode
  | 'issuer_differs'
  | 'token_expired'
  | 'token_from_future'
  | 'token_timeless' // no expiry
  | 'nonce_differs'
  | 'nonces_differ' // between the tokens
  | 'attestation_failed' // NVIDIA's own verdict
  | 'device_failed' // a device's measurements, debug state or secure boot
  | 'device_repeated'
  | 'device_denied'

export type NrasAttestation = {
  kind: 'nvidia-nras'
  nonce: string
  /** Unix seconds. */
  expiresAt: bigint
  devices: readonly {
    name: string
    ueid: string | undefined
    model: string | undefined
    /** What the service warns of, e.g. a signer on hold. */
    warning: string | undefined
  }[]
  /** Identity of the verdict for de-duplication: the signed part, since a signature has a twin. */
  payloadHash: Hex
}

export type NrasVerification = TeeReport<NrasStepName, NrasCode, NrasAttestation>

/** Filled by the first check, read behind it. */
type Found = { overall: Jws; devices: { name: string; jws: Jws }[] }

/**
 * Verifies the tokens of NVIDIA's remote attestation service. Pure, bounded, and without exceptions. Trust in them is
 * trust in that service: it, not the reader, looked at the GPU.
 */
export function verifyNras(tokens: NrasTokens, parameters: VerifyNrasParameters): NrasVerification {
  const list = new Checklist<NrasStepName, NrasCode>()
  const found = {} as Found
  checkValidity(list, tokens, parameters, found)
  checkPolicy(list, parameters, found)
  return list.report(() => attestationOf(found))
}

function checkValidity(
  list: Checklist<NrasStepName, NrasCode>,
  tokens: NrasTokens,
  { jwks, now, issuer = NRAS_ISSUER }: VerifyNrasParameters,
  found: Found,
): void {
  list.check('tokenShape', () => {
    found.overall = parseJws(tokens.overall)
    return undefined
  })
  list.check('overallSignature', () => jwsProblem(found.overall, jwks))
  list.check('submodules', () => submoduleProblem(found.overall.payload.submods, tokens.devices))
  list.check('deviceSignatures', () => {
    found.devices = Object.entries(tokens.devices).map(([name, token]) => ({ name, jws: parseJws(token) }))
    return first(found.devices, ({ jws }) => jwsProblem(jws, jwks))
  })
  // A device token that leaves a claim out is bound to the overall token's by its digest; one that makes it must agree.
  list.check('issuer', () =>
    first(all(found), ({ name, jws: { payload } }) =>
      payload.iss === issuer || (payload.iss === undefined && name !== OVERALL)
        ? undefined
        : { code: 'issuer_differs', reason: `token ${name} is of ${JSON.stringify(payload.iss)}` },
    ),
  )
  list.check('tokenTime', () =>
    found.overall.payload.exp === undefined
      ? { code: 'token_timeless', reason: 'the overall token never expires' }
      : first(all(found), ({ jws }) => timeProblem(jws, now)),
  )
  list.check('oneNonce', () => {
    if (found.overall.payload.eat_nonce === undefined) {
      return { code: 'nonces_differ', reason: 'the overall token answers no challenge' }
    }
    return first(found.devices, ({ name, jws }) =>
      jws.payload.eat_nonce === undefined || nonceOf(jws) === nonceOf(found.overall)
        ? undefined
        : { code: 'nonces_differ', reason: `token ${name} answers another challenge than the overall token` },
    )
  })
}

const OVERALL = 'overall'

/** The overall token and, after it, each device's. */
function all({ overall, devices }: Found): { name: string; jws: Jws }[] {
  return [{ name: OVERALL, jws: overall }, ...devices]
}

/** First problem among items. */
function first<Item>(
  items: readonly Item[],
  problem: (item: Item) => Problem<NrasCode> | undefined,
): Problem<NrasCode> | undefined {
  for (const item of items) {
    const found = problem(item)
    if (found !== undefined) return found
  }
  return undefined
}

/** Hex in lower case without 0x: the service repeats it as the caller wrote it. @throws Error where it is none */
function nonceOf({ payload }: Jws): string {
  const { eat_nonce: nonce } = payload
  if (typeof nonce !== 'string' || !/^(0x)?[0-9a-fA-F]{16,128}$/.test(nonce)) throw new Error('eat_nonce')
  return nonce.toLowerCase().replace(/^0x/, '')
}

/** A NumericDate in whole seconds; undefined where absent. @throws Error */
function seconds(value: unknown, name: string): bigint | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'number' || !(Math.abs(value) < 2 ** 40)) throw new Error(`${name} is no time`)
  return BigInt(Math.floor(value))
}

function timeProblem({ payload }: Jws, now: bigint): Problem<NrasCode> | undefined {
  const expires = seconds(payload.exp, 'exp')
  if (expires !== undefined && expires <= now)
    return { code: 'token_expired', reason: `the token expired at ${expires}` }
  for (const name of ['nbf', 'iat'] as const) {
    const begins = seconds(payload[name], name)
    if (begins !== undefined && begins > now + MAX_AHEAD_SECONDS) {
      return { code: 'token_from_future', reason: `${name} is ${begins}, now is ${now}` }
    }
  }
  return undefined
}

function checkPolicy(
  list: Checklist<NrasStepName, NrasCode>,
  { expectedNonce, deniedDevices }: VerifyNrasParameters,
  found: Found,
): void {
  if (expectedNonce === undefined) list.skip('nonce', 'policy', 'no nonce was given to compare with')
  else {
    list.policy('nonce', () =>
      nonceOf(found.overall) === expectedNonce.slice(2).toLowerCase()
        ? undefined
        : {
            code: 'nonce_differs',
            reason: `the nonce is ${nonceOf(found.overall)}, expected ${expectedNonce}`,
          },
    )
  }
  list.policy('overallResult', () =>
    found.overall.payload['x-nvidia-overall-att-result'] === true
      ? undefined
      : { code: 'attestation_failed', reason: "NVIDIA's service did not attest these devices" },
  )
  list.policy('deviceResults', () => first(found.devices, ({ name, jws }) => deviceProblem(name, jws)))
  const ids = () => found.devices.map(({ jws }) => jws.payload.ueid).filter((id) => id !== undefined)
  list.policy('devicesDistinct', () =>
    new Set(ids()).size === ids().length
      ? undefined
      : { code: 'device_repeated', reason: 'one device stands for several' },
  )
  list.policy('devicesAccepted', () =>
    ids().some((id) => deniedDevices?.includes(String(id)))
      ? { code: 'device_denied', reason: 'a device is on the deny list' }
      : undefined,
  )
}

/** Claims about the device itself; only `measres`, the comparison with golden values, must be made. */
const WANTED: Readonly<Record<string, readonly unknown[]>> = {
  measres: ['success', 'comparison-successful', true],
  secboot: [true],
  // RFC 9711 §4.2.9: debugging is off, by however long.
  dbgstat: ['disabled', 'disabled-since-boot', 'disabled-permanently', 'disabled-fully-and-permanently'],
}
/** Claims 3.0 describe each chain of certificates in an object of its own, by these members. */
const CERTIFICATE: Readonly<Record<string, string>> = {
  'x-nvidia-cert-status': 'valid',
  'x-nvidia-cert-ocsp-status': 'good',
}

/** Claims 3.0 write null where 2.0 leaves a claim out. */
const isSaid = (value: unknown) => value !== undefined && value !== null

function deviceProblem(name: string, { payload }: Jws): Problem<NrasCode> | undefined {
  const failed = (claim: string, value: unknown): Problem<NrasCode> => ({
    code: 'device_failed',
    reason: `${name} says ${claim} = ${JSON.stringify(value)}`,
  })
  for (const [claim, wanted] of Object.entries(WANTED)) {
    const value = payload[claim]
    if (!isSaid(value) && claim !== 'measres') continue
    if (!wanted.includes(value)) return failed(claim, value)
  }
  const described = Object.entries(payload).filter(([claim]) => claim.startsWith('x-nvidia-'))
  for (const [claim, value] of described) {
    // Every check that the service names, now or later, is a claim of this prefix that is true or false.
    if (value === false) return failed(claim, value)
    for (const [part, found] of isObject(value) ? Object.entries(value) : []) {
      const wanted = CERTIFICATE[part]
      const differs = wanted !== undefined && isSaid(found) && found !== wanted
      if (found === false || differs) return failed(`${claim}.${part}`, found)
    }
  }
  return undefined
}

function attestationOf({ overall, devices }: Found): NrasAttestation {
  const text = (value: unknown) => (typeof value === 'string' ? value : undefined)
  return {
    kind: 'nvidia-nras',
    nonce: nonceOf(overall),
    expiresAt: BigInt(Math.floor(overall.payload.exp as number)),
    devices: devices.map(({ name, jws }) => ({
      name,
      ueid: text(jws.payload.ueid),
      model: text(jws.payload.hwmodel),
      warning: text(jws.payload['x-nvidia-attestation-warning']),
    })),
    payloadHash: keccak256(overall.signed),
  }
}
