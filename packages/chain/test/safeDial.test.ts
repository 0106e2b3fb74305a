import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AssayError } from '@assay/protocol'
import { isPrivateAddress, safeDial } from '../src/index.ts'

const PRIVATE = [
  '127.0.0.1',
  '10.1.2.3',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.1.1',
  '169.254.169.254',
  '100.64.0.1',
  '0.0.0.0',
  '224.0.0.1',
  '255.255.255.255',
  '198.18.0.1',
  '::1',
  '::',
  'fe80::1',
  'fc00::1',
  'fd12::1',
  '::ffff:127.0.0.1',
  '::ffff:10.0.0.1',
  '::ffff:7f00:1',
  '64:ff9b::7f00:1',
  '2002:7f00:1::',
  '2001:db8::1',
  'ff02::1',
  'nonsense',
  '',
]
const PUBLIC = [
  '1.1.1.1',
  '8.8.8.8',
  '172.15.0.1',
  '172.32.0.1',
  '100.128.0.1',
  '2606:4700::1111',
  '2a00:1450::1',
]

test('private ranges', () => {
  for (const address of PRIVATE) assert.equal(isPrivateAddress(address), true, address)
  for (const address of PUBLIC) assert.equal(isPrivateAddress(address), false, address)
})

const refused = (error: unknown) => error instanceof AssayError && error.code === 'config'

test('URLs that strangers register', async () => {
  const resolve = async (host: string) => (host === 'mixed.example' ? ['1.1.1.1', '127.0.0.1'] : ['1.1.1.1'])
  const bad = [
    'ftp://1.1.1.1/',
    'file:///etc/passwd',
    'not a url',
    'http://user:word@1.1.1.1/',
    'http://127.0.0.1:8545',
    'http://2130706433/',
    'http://0x7f.1/',
    'http://[::1]/',
    'http://mixed.example/',
    'http://[::ffff:127.0.0.1]/',
    `http://1.1.1.1/${'a'.repeat(3000)}`,
  ]
  for (const url of bad) await assert.rejects(safeDial(url, { devnet: false, resolve }), refused, url)
  const good = await safeDial('https://node.example/v1', { devnet: false, resolve })
  assert.deepEqual([good.address, good.family, good.port, good.host], ['1.1.1.1', 4, 443, 'node.example'])
  const local = await safeDial('http://127.0.0.1:4030', { devnet: true })
  assert.equal(local.port, 4030)
  await assert.rejects(safeDial('http://u:p@127.0.0.1:4030', { devnet: true }), refused)
  await assert.rejects(safeDial('http://gone.example', { devnet: true, resolve: async () => [] }), refused)
})
