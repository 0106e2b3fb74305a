import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type Bundle,
  encodeBundle,
  type Inclusion,
  MODE,
  parseBundle,
  type Receipt,
  STATUS,
  tag,
} from '@assay/protocol'
import fc from 'fast-check'
import { keccak256 } from 'viem'
import { generatePrivateKey } from 'viem/accounts'
import {
  BATCH_STATE,
  type ChainView,
  PAYMENT_STATE,
  type Report,
  rulesOfEvidence,
  STEP_NAMES,
  type StepCode,
  type StepName,
  verifyBundle,
  verifyReceipt,
} from '../src/index.ts'
import {
  deployment,
  type gateway,
  issuedAt,
  makeBundle,
  makeReceipt,
  makeView,
  signReceipt,
} from './world.ts'

const { bundle, view } = await makeBundle()
const stranger = '0x00000000000000000000000000000000000000aa'

function failures(report: Report): [StepName, StepCode][] {
  return report.steps.filter((step) => step.outcome === 'failed').map((step) => [step.name, step.code])
}

/** The only failure of a report. */
function failure(report: Report): string {
  const [first, ...rest] = failures(report)
  assert.deepEqual(rest, [])
  assert.equal(report.ok, false)
  return first === undefined ? 'none' : first.join(' ')
}

async function judge(changes: { bundle?: Partial<Bundle>; view?: Partial<ChainView> }): Promise<Report> {
  return verifyBundle({ ...bundle, ...changes.bundle }, { ...view, ...changes.view })
}

async function judgeReceipt(changes: Partial<Receipt>, chain: Partial<ChainView> = {}): Promise<string> {
  return failure(await verifyReceipt(await signReceipt(makeReceipt(changes)), makeView(chain)))
}

test('a whole, settled bundle passes every step and says what is trusted', async () => {
  // The call paid for itself, and promised no proof; grants and proofs have test files of their own.
  const steps = STEP_NAMES.filter((name) => name !== 'proofHolds')
  const required = steps.filter((name) => name !== 'withinGrant')
  const report = await verifyBundle(bundle, view, { required, deployment })
  assert.deepEqual(
    report.steps.filter((step) => step.outcome !== 'passed').map((step) => step.code),
    ['not_under_grant'],
  )
  assert.deepEqual(
    report.steps.map((step) => step.name),
    steps,
  )
  assert.equal(report.ok, true)
  assert.match(report.trust, /SIMULATED hardware/)
  assert.doesNotMatch(report.trust, /not signed by payer/)
})

test('what is absent is skipped with a reason, never passed, and required steps may not be skipped', async () => {
  const bare = {
    ...bundle,
    requestAuth: undefined,
    inclusion: undefined,
    evidence: undefined,
    model: undefined,
  }
  const early = { ...view, batch: null, payment: null }
  const report = await verifyBundle(bare, early, { required: [] })
  assert.equal(report.ok, true)
  const skipped = report.steps.filter((step) => step.outcome === 'skipped').map((step) => step.code)
  assert.deepEqual(skipped, [
    'model_absent',
    'deployment_not_given',
    'evidence_absent',
    'request_unsigned',
    'not_under_grant',
    'inclusion_absent',
    'inclusion_absent',
    'inclusion_absent',
    'payment_unseen',
  ])
  assert.match(report.trust, /request not signed by payer/)
  const strict = await verifyBundle(bare, early)
  assert.equal(strict.ok, false)
  assert.deepEqual(strict.missing, ['includedInBatch'])
  // A view that holds a final batch proves nothing for a bundle without a proof.
  const unproven = await verifyBundle(bare, view, { required: ['batchIsFinal'] })
  assert.equal(unproven.ok, false)
})

test('any one changed byte of a saved bundle is a parse error or a failed step', async () => {
  const bytes = encodeBundle(bundle)
  assert.equal((await verifyBundle(parseBundle(bytes), view)).ok, true)
  const survives = async (copy: Uint8Array): Promise<boolean> => {
    let parsed: Bundle
    try {
      parsed = parseBundle(copy)
    } catch {
      return false
    }
    return failures(await verifyBundle(parsed, view)).length === 0
  }
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (position, mask) => {
      const copy = new Uint8Array(bytes)
      copy[position] = (copy[position] as number) ^ mask
      assert.equal(await survives(copy), false, `byte ${position} ^ ${mask}`)
    }),
    { numRuns: 300 },
  )
  // Digits stay digits and letters stay letters here, so that most of these parse and a step has to catch them.
  const text = new TextDecoder().decode(bytes)
  await fc.assert(
    fc.asyncProperty(
      fc.nat(bytes.length - 1),
      fc.constantFrom(...'0123456789abcdef'),
      async (position, other) => {
        fc.pre(/[0-9a-f]/.test(text[position] as string) && text[position] !== other)
        const copy = new TextEncoder().encode(text.slice(0, position) + other + text.slice(position + 1))
        assert.equal(await survives(copy), false, `byte ${position} → ${other}`)
      },
    ),
    { numRuns: 300 },
  )
})

test('a bundle of another chain, contract or deployment fails', async () => {
  for (const other of [
    { ...deployment, chainId: 1 },
    { ...deployment, settlement: stranger as typeof gateway },
    { ...deployment, deploymentId: keccak256('0x99') },
  ]) {
    const report = await judge({ view: { deployment: other } })
    const names = failures(report).map(([name]) => name)
    assert.ok(names.includes('signatureRecoversKey') && names.includes('requestSignedByPayer'), names.join())
    const asked = await verifyBundle(bundle, view, { deployment: other })
    assert.equal(failure(asked), 'deploymentMatches deployment_differs')
  }
})

test('the request, response and manifest must be those that were signed', async () => {
  const body = new TextEncoder().encode('{}')
  assert.equal(
    failure(await judge({ bundle: { request: { ...bundle.request, body } } })),
    'requestMatches request_differs',
  )
  assert.equal(
    failure(await judge({ bundle: { request: { ...bundle.request, path: '/v1/chat/completions?x=1' } } })),
    'requestMatches request_differs',
  )
  assert.equal(
    failure(await judge({ bundle: { response: { ...bundle.response, status: 201 } } })),
    'responseMatches response_differs',
  )
  const model = { ...bundle.model, name: 'a better model' } as NonNullable<Bundle['model']>
  assert.equal(failure(await judge({ bundle: { model } })), 'modelMatches model_differs')
})

test('receipt rules that need no chain', async () => {
  assert.equal(await judgeReceipt({ version: 2 }), 'receiptIsSound receipt_rule_broken')
  assert.equal(await judgeReceipt({ mode: MODE.replay }), 'receiptIsSound mode_unsupported')
  // A proof is promised by a hash of what it is to show.
  assert.equal(await judgeReceipt({ mode: MODE.zk }), 'receiptIsSound receipt_rule_broken')
  assert.equal(await judgeReceipt({ evidenceHash: keccak256('0x') }), 'receiptIsSound receipt_rule_broken')
  const free = await verifyReceipt(
    await signReceipt(makeReceipt({ status: STATUS.failed, price: 0n })),
    makeView(),
  )
  assert.deepEqual(failures(free), [])
  const charged = await verifyReceipt(await signReceipt(makeReceipt({ status: STATUS.failed })), makeView())
  assert.deepEqual(
    failures(charged).map(([name]) => name),
    ['receiptIsSound', 'priceMatches'],
  )
})

test('the key: signature, owner, interval, engine class, mode, hardware, root, measurement', async () => {
  const always = { validFrom: 1n, revokedAt: 0n }
  const stopped = { from: issuedAt, until: issuedAt + 1n }
  const forged = await signReceipt(makeReceipt(), generatePrivateKey())
  assert.equal(
    failure(await verifyReceipt(forged, makeView())),
    'signatureRecoversKey signature_of_other_key',
  )
  const garbage = { ...forged, signature: `0x${'ff'.repeat(65)}` as const }
  assert.equal(failure(await verifyReceipt(garbage, makeView())), 'signatureRecoversKey signature_malformed')
  const key = makeView().key
  assert.ok(key !== null)
  const cases: [Partial<ChainView>, string][] = [
    [{ key: { ...key, node: stranger } }, 'keyWasAttested key_of_other_node'],
    [{ key: { ...key, validFrom: issuedAt + 1n } }, 'keyWasAttested key_not_valid_then'],
    [{ key: { ...key, revokedAt: issuedAt } }, 'keyWasAttested key_not_valid_then'],
    [{ key: { ...key, engineClasses: 0b110 } }, 'keyWasAttested engine_class_not_allowed'],
    [{ key: { ...key, bonded: true } }, 'keyWasAttested key_mode_differs'],
    [{ hardware: null }, 'keyWasAttested hardware_not_approved'],
    [{ root: { validFrom: 1n, revokedAt: issuedAt } }, 'keyWasAttested hardware_not_approved'],
    [{ measurement: null }, 'measurementWasApproved measurement_not_approved'],
    [
      { measurement: { validFrom: 1n, revokedAt: issuedAt, engineClasses: 1 } },
      'measurementWasApproved measurement_not_approved',
    ],
    [
      { measurement: { validFrom: 1n, revokedAt: 0n, engineClasses: 2 } },
      'measurementWasApproved engine_class_not_allowed',
    ],
    [{ key: { ...key, suspension: stopped } }, 'keyWasAttested key_not_valid_then'],
    [{ root: { ...always, suspension: stopped } }, 'keyWasAttested hardware_not_approved'],
    [{ hardware: { ...always, suspension: stopped } }, 'keyWasAttested hardware_not_approved'],
    [
      { measurement: { ...always, engineClasses: 1, suspension: stopped } },
      'measurementWasApproved measurement_not_approved',
    ],
  ]
  for (const [chain, expected] of cases) assert.equal(await judgeReceipt({}, chain), expected)
  // Revoked or suspended after the receipt, or a suspension over before it: still valid.
  const later = { validFrom: 1n, revokedAt: issuedAt + 1n }
  const around: Partial<ChainView>[] = [
    { root: later, hardware: later },
    { root: { ...always, suspension: { from: issuedAt + 1n, until: issuedAt + 9n } } },
    { hardware: { ...always, suspension: { from: issuedAt - 9n, until: issuedAt } } },
    { root: { ...always, suspension: { from: 0n, until: 0n } } },
  ]
  for (const chain of around) {
    const report = await verifyReceipt(await signReceipt(makeReceipt()), makeView(chain))
    assert.deepEqual(failures(report), [])
  }
  const unknown = await verifyReceipt(
    await signReceipt(makeReceipt()),
    makeView({ key: null, hardware: null }),
  )
  assert.deepEqual(
    failures(unknown).map(([, code]) => code),
    ['key_unknown', 'key_unknown'],
  )
})

test('a bonded key carries no measurement and says so', async () => {
  const view = makeView()
  assert.ok(view.key !== null)
  const key = { ...view.key, bonded: true, engineClasses: 0b100 }
  const chain = { ...view, key, hardware: null, root: null, measurement: null }
  const report = await verifyReceipt(
    await signReceipt(makeReceipt({ mode: MODE.bonded, engineClass: 2 })),
    chain,
  )
  assert.deepEqual(failures(report), [])
  assert.match(report.trust, /the bond of operator/)
})

test('the trust statement names the hardware, and what is known against it', async () => {
  const view = makeView()
  assert.ok(view.key !== null)
  const receipt = await signReceipt(makeReceipt())
  for (const [kind, known] of [
    ['tdx', /Intel TDX hardware \(.*TEE\.fail/],
    ['sgx', /Intel SGX hardware \(.*TEE\.fail/],
    ['snp', /AMD SEV-SNP hardware \(.*TEE\.fail/],
    ['nitro', /AWS Nitro hardware and/],
    ['other', new RegExp(`hardware of type ${tag('other')}`)],
  ] as const) {
    const key = { ...view.key, hardwareType: tag(kind) }
    assert.match((await verifyReceipt(receipt, { ...view, key })).trust, known)
  }
})

test('where the enclave stands before a provider, it is said to attest a proxy, and only there', async () => {
  const view = makeView()
  assert.ok(view.key !== null && view.measurement !== null)
  const chain = {
    ...view,
    key: { ...view.key, engineClasses: 0b011 },
    measurement: { ...view.measurement, engineClasses: 0b011 },
  }
  const trustOf = async (engineClass: number) => {
    const report = await verifyReceipt(await signReceipt(makeReceipt({ engineClass })), chain)
    assert.deepEqual(failures(report), [])
    return report.trust
  }
  assert.match(await trustOf(1), /approved its code, for a proxy alone: .* the word of the provider/)
  assert.doesNotMatch(await trustOf(0), /proxy|provider/)
})

test('times: anchor, issue and commit stay in order', async () => {
  const batch = view.batch
  assert.ok(batch !== null)
  const other = { hash: keccak256('0x00'), timestamp: issuedAt }
  assert.equal(await judgeReceipt({}, { anchor: null }), 'anchored anchor_unknown')
  assert.equal(await judgeReceipt({}, { anchor: other }), 'anchored anchor_differs')
  const cases: [Partial<ChainView>, boolean][] = [
    [{ anchor: { hash: keccak256('0x5a'), timestamp: issuedAt + 5n } }, true],
    [{ anchor: { hash: keccak256('0x5a'), timestamp: issuedAt + 6n } }, false],
    [{ batch: { ...batch, committedAt: issuedAt - 5n } }, true],
    [{ batch: { ...batch, committedAt: issuedAt - 6n } }, false],
    [{ batch: { ...batch, committedAt: issuedAt + 86_400n } }, true],
    [{ batch: { ...batch, committedAt: issuedAt + 86_401n } }, false],
  ]
  for (const [chain, holds] of cases) {
    const report = await verifyReceipt(await signReceipt(makeReceipt()), makeView(chain))
    assert.deepEqual(failures(report), holds ? [] : [['anchored', 'time_out_of_order']])
  }
})

test('the price is that of the row, to the last unit', async () => {
  assert.equal(await judgeReceipt({ price: 100n }), 'priceMatches price_differs')
  assert.equal(await judgeReceipt({ inputUnits: 41n }), 'priceMatches price_differs')
  assert.equal(await judgeReceipt({}, { price: null }), 'priceMatches price_unknown')
  assert.equal(await judgeReceipt({}, { publisher: null }), 'priceMatches price_unknown')
  const late = { perCall: 10n, inputPrice: 2n, outputPrice: 3n, validFrom: issuedAt + 6n }
  assert.equal(await judgeReceipt({}, { price: late }), 'priceMatches price_not_valid_then')
})

test('inclusion: the proof, the header, the committer, the state', async () => {
  const inclusion = bundle.inclusion as Inclusion
  const batch = view.batch as NonNullable<ChainView['batch']>
  const altered = {
    ...inclusion,
    leafSiblings: inclusion.leafSiblings.map((entry) => ({ ...entry, left: !entry.left })),
  }
  assert.equal(failure(await judge({ bundle: { inclusion: altered } })), 'includedInBatch inclusion_differs')
  assert.equal(
    failure(await judge({ bundle: { inclusion: { ...inclusion, sum: inclusion.sum + 1n } } })),
    'includedInBatch inclusion_differs',
  )
  assert.equal(
    failure(await judge({ view: { batch: { ...batch, count: 1n } } })),
    'includedInBatch batch_differs',
  )
  for (const state of [BATCH_STATE.void, BATCH_STATE.expired]) {
    assert.equal(failure(await judge({ view: { batch: { ...batch, state } } })), 'batchIsFinal batch_void')
  }
  for (const state of [BATCH_STATE.committed, BATCH_STATE.attested]) {
    const report = await judge({ view: { batch: { ...batch, state } } })
    assert.equal(report.ok, true)
    assert.equal(
      (await verifyBundle(bundle, { ...view, batch: { ...batch, state } }, { required: ['batchIsFinal'] }))
        .ok,
      false,
    )
  }
  const copied = { batch: { ...batch, committer: stranger as typeof gateway } }
  assert.equal(await judgeReceipt({}, copied), 'committerMayInclude committer_not_entitled')
  const forcedIn = { batch: { ...batch, committer: stranger as typeof gateway, committedAt: issuedAt + 61n } }
  assert.deepEqual(failures(await verifyReceipt(await signReceipt(makeReceipt()), makeView(forcedIn))), [])
})

test('the payment: payer, gateway, amount, refunds', async () => {
  const payment = view.payment as NonNullable<ChainView['payment']>
  const cases: [Partial<typeof payment>, string][] = [
    [{ payer: stranger }, 'payment_differs'],
    [{ gateway: stranger }, 'payment_differs'],
    [{ paid: payment.paid + 1n }, 'payment_differs'],
    [{ state: PAYMENT_STATE.refunded }, 'payment_refunded'],
  ]
  for (const [change, code] of cases) {
    const report = await judge({ view: { payment: { ...payment, ...change } } })
    assert.equal(failure(report), `paymentSettled ${code}`)
  }
  const locked = await judge({ view: { payment: { ...payment, state: PAYMENT_STATE.locked, paid: 0n } } })
  assert.equal(locked.ok, true)
})

test('what the payer signed binds: price, deadline, request', async () => {
  const signed = bundle.requestAuth as NonNullable<Bundle['requestAuth']>
  for (const change of [
    { maxPrice: 1n },
    { deadline: issuedAt - 60n },
    { requestHash: keccak256('0x') },
    { maxPrice: 5000n },
  ]) {
    const requestAuth = { ...signed, auth: { ...signed.auth, ...change } }
    assert.equal(
      failure(await judge({ bundle: { requestAuth } })),
      'requestSignedByPayer request_auth_differs',
    )
  }
})

test('evidence is judged by the rules voted in, on the chain that it names, and a key by its term', async () => {
  const code = async (changes: Parameters<typeof judge>[0], name: string) =>
    (await judge(changes)).steps.find((entry) => entry.name === name)?.code
  const { evidence } = bundle
  const { key } = view
  assert.ok(evidence !== undefined && key !== null)
  const names = rulesOfEvidence(evidence) ?? []
  const rules = new Map(names.map((name) => [name, 0n]))
  const evidenceAnchor = { hash: evidence.anchorHash, timestamp: key.validFrom - 20n }
  assert.equal(await code({ view: { rules, evidenceAnchor } }, 'evidenceHolds'), 'ok')
  for (const name of names) {
    const denied = new Map([...rules, [name, 1n] as const])
    assert.equal(await code({ view: { rules: denied } }, 'evidenceHolds'), 'evidence_invalid')
  }
  assert.equal(await code({ view: { rules: new Map() } }, 'evidenceHolds'), 'evidence_invalid', 'not read')
  const elsewhere = { ...evidenceAnchor, hash: bundle.receipt.requestHash }
  assert.equal(await code({ view: { evidenceAnchor: elsewhere } }, 'evidenceHolds'), 'evidence_differs')
  assert.equal(await code({ view: { evidenceAnchor: null } }, 'evidenceHolds'), 'evidence_differs')
  const { issuedAt } = bundle.receipt
  const until = (expiresAt: bigint) => code({ view: { key: { ...key, expiresAt } } }, 'keyWasAttested')
  assert.deepEqual([await until(issuedAt + 1n), await until(issuedAt)], ['ok', 'key_not_valid_then'])
  const lenient = await judge({ view: { rules: new Map([...rules, ['allow-product/Milan', 1n]]) } })
  assert.match(
    lenient.trust,
    /by vote, this line of chips is accepted, though its chip keys can be extracted/,
  )
})
