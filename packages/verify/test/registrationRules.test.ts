/** Rules that a vote sets on genuine evidence: what each lets in, and what it keeps out. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exceptionsOf, readRule, rulesFor, verifyRegistration } from '../src/index.ts'
import { now, outcome, propose, proposeDcap, proposeSnp, under } from './proposals.ts'

test('rules on SEV-SNP: least and denied patch levels, denied chips, and what a vote lets in all the same', async () => {
  const plain = await proposeSnp()
  const names = [...plain.rules.keys()]
  const failed = (check: string) => `invalid attestation_invalid ${check}`
  const chip = names.find((name) => name.startsWith('deny-chip/')) as string
  const level = names.find((name) => name.startsWith('deny-tcb/Genoa/')) as string
  assert.equal(under(plain, { [chip]: 1n }), failed('chipAccepted'))
  assert.equal(under(plain, { [level]: 1n }), failed('minimumTcb'))
  assert.equal(under(plain, { 'require-crl': 1n }), failed('notRevoked'))
  const tcb = BigInt(level.slice('deny-tcb/Genoa/'.length))
  assert.equal(under(plain, { 'minimum-tcb/Genoa': tcb }), 'valid ok')
  assert.equal(under(plain, { 'minimum-tcb/Genoa': tcb + (1n << 56n) }), failed('minimumTcb'), 'microcode')
  assert.equal(under(plain, { 'minimum-tcb/Genoa': tcb + 1n }), failed('minimumTcb'), 'boot loader')
  const milan = await proposeSnp({ snp: { product: 'Milan' } })
  assert.equal(under(milan, {}), failed('productAccepted'))
  assert.equal(under(milan, { 'allow-product/Milan': 1n }), 'valid ok')
  const shared = await proposeSnp({ snp: { signer: 'VLEK' } })
  assert.equal(under(shared, { 'allow-signer/VLEK': 1n }), 'valid ok')
  // Debugging is refused under any vote: there is no rule that would let it in.
  const debug = await proposeSnp({ snp: { report: { 10: [0x0b] } } })
  assert.equal(
    under(debug, Object.fromEntries(names.filter((n) => n.startsWith('allow')).map((n) => [n, 1n]))),
    failed('notDebug'),
  )
})

test('rules on TDX: out of date, dates, evaluation numbers, advisories, families and processors', async () => {
  const plain = await proposeDcap('tdx')
  const failed = (check: string) => `invalid attestation_invalid ${check}`
  const named = (start: string) => [...plain.rules.keys()].filter((name) => name.startsWith(start))
  for (const name of [named('deny-fmspc/')[0], named('deny-ppid/')[0]]) {
    assert.equal(under(plain, { [name as string]: 1n }), failed('platformAllowed'))
  }
  const outcomes = named('deny-tcb-date/').map((name) => under(plain, { [name]: 1n }))
  assert.equal(outcomes.filter((found) => found === failed('tcbLevel')).length, 1, 'the level it reaches')
  assert.equal(under(plain, { 'minimum-tcb-date': now }), failed('tcbLevel'))
  assert.equal(under(plain, { 'minimum-evaluation': 60_000n }), failed('collateralRecent'))
  assert.equal(under(plain, { 'minimum-status': 1n }), 'valid ok')
  const outdated = await proposeDcap('tdx', { dcap: { componentSvns: new Array<number>(16).fill(2) } })
  assert.equal(under(outdated, {}), failed('statusAccepted'))
  // The measurement is read from accepted evidence, so it is unknown here: everything before it passed.
  assert.equal(under(outdated, { 'allow-out-of-date': 1n }), failed('measurement'))
  assert.equal(under(plain, { 'allow-sept-ve': 1n, 'allow-migratable': 1n }), 'valid ok')
})

test('rules on Nitro: a certificate that is denied, by issuer and serial', async () => {
  const proposal = await propose()
  const names = [...proposal.rules.keys()].filter((name) => !name.startsWith('require-gpus/'))
  for (const name of names) {
    assert.match(name, /^deny-certificate\//)
    assert.equal(under(proposal, { [name]: 1n }), 'invalid attestation_invalid notRevoked')
  }
})

test('rules that were not read are not rules that were not set', async () => {
  for (const proposal of [await propose(), await proposeSnp(), await proposeDcap('tdx')]) {
    assert.equal(outcome(verifyRegistration(proposal)), 'valid ok')
    const [name = ''] = [...proposal.rules.keys()]
    const rules = new Map([...proposal.rules].filter(([other]) => other !== name))
    const report = verifyRegistration({ ...proposal, rules })
    assert.equal(report.code, 'attestation_invalid')
    assert.match(report.reason, /was not read/)
  }
})

test('a rule has one name, and every kind says what it does', () => {
  const good = [
    'minimum-tcb/Genoa',
    'require-crl',
    `deny-chip/0x${'0a'.repeat(64)}`,
    'deny-tcb-date/2024-03-13',
  ]
  for (const name of good) assert.ok(readRule(name) !== undefined, name)
  const bad = [
    ...[
      '',
      '/',
      'deny-chip',
      'deny-chip/',
      `deny-chip/0x${'0A'.repeat(64)}`,
      'minimum-tcb/Rome',
      'require-crl/',
    ],
    ...[
      'require-crl/x',
      'toString',
      'minimum-tcb/Genoa/',
      `deny-ppid/0x${'00'.repeat(15)}`,
      'deny-tcb-date/2024-3-1',
    ],
  ]
  for (const name of bad) assert.equal(readRule(name), undefined, name)
  assert.ok(rulesFor('snp').length > 5 && rulesFor('tdx').length > 5 && rulesFor('nitro').length === 1)
  const milan = exceptionsOf(
    new Map([
      ['allow-product/Milan', 1n],
      ['deny-fmspc/0x00906ed50000', 1n],
    ]),
  )
  assert.equal(milan.length, 1)
  assert.match(milan[0] ?? '', /extracted in software/)
})
