/** `assay up --profile opengradient`: what is refused before anything starts, and whose key pays. */
import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import type { Network } from '@assay/protocol'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { profileFrom, refuseUnsafe } from '../src/up/profile.ts'
import { walletKey } from '../src/wallet.ts'
import { runAssay } from './runAssay.ts'

const KEY = `0x${'12'.repeat(32)}` as const
const profile = { name: 'opengradient', tlsPort: 4443 } as const

afterEach(() => {
  for (const name of ['ASSAY_HOME', 'ASSAY_WALLET_KEY', 'ASSAY_PROFILE']) delete process.env[name]
})

test('Base’s chain id is refused without the profile, and a key of one’s own with it', async () => {
  process.env.ASSAY_HOME = temporaryFolder('profile')
  const base = await runAssay('up', '--chain-id', '8453')
  assert.equal(base.code, 2)
  assert.match(base.err, /must not have the chain id of Base[\s\S]*--profile opengradient/)
  process.env.ASSAY_WALLET_KEY = KEY
  const imported = await runAssay('up', '--profile', 'opengradient')
  assert.equal(imported.code, 2)
  assert.match(imported.err, /no key of yours may pay[\s\S]*Unset ASSAY_WALLET_KEY/)
  assert.ok(!imported.err.includes(KEY))
})

test('an unknown profile and a bad port are a usage error', async () => {
  const unknown = await runAssay('up', '--profile', 'closedgradient')
  assert.equal(unknown.code, 2)
  assert.match(unknown.err, /The profiles are: opengradient/)
  assert.equal((await runAssay('up', '--profile', 'opengradient', '--tls-port', '0')).code, 2)
})

test('the profile comes from the option or the environment, and its chain may have another id', () => {
  assert.equal(profileFrom({}, {}), undefined)
  assert.deepEqual(profileFrom({ profile: 'opengradient' }, {}), profile)
  assert.deepEqual(profileFrom({}, { ASSAY_PROFILE: 'opengradient', ASSAY_GATEWAY_TLS_PORT: '5443' }), {
    ...profile,
    tlsPort: 5443,
  })
  refuseUnsafe(8453, profile, {})
  refuseUnsafe(31337, profile, {})
  refuseUnsafe(31337, undefined, { ASSAY_WALLET_KEY: KEY })
})

test('on such a network every command pays with the key that was made for it, and with no other', () => {
  const demo = { address: `0x${'01'.repeat(20)}`, privateKey: `0x${'34'.repeat(32)}` } as const
  const network = { accounts: { demo }, profile: { name: 'opengradient' } } as unknown as Network
  assert.equal(walletKey(network, {}), demo.privateKey)
  assert.throws(() => walletKey(network, { ASSAY_WALLET_KEY: KEY }), { code: 'imported_payer' })
})
