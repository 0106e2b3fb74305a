import { parseAbi } from 'viem'

/** The part of the contracts that a validator speaks with; written out, so that it shows at a glance what it can do. */
export const SETTLEMENT = parseAbi([
  'struct Group { address node; bytes32 top; uint128 sum; uint128 exposure; uint64 count; }',
  'event BatchCommitted(bytes32 indexed batchId, address indexed committer, uint64 height, bytes32 root, bytes32 dataHash, Group[] groups)',
  'function hasAttested(bytes32 batchId, address validator) view returns (bool)',
  'function deploymentId() view returns (bytes32)',
  'function attest(bytes32 batchId, uint64 registryBlock, bool dataAvailable, uint8 verdict, bytes[] signatures)',
  'function finalise(bytes32 batchId)',
  'function expire(bytes32 batchId)',
  'error UnknownBatch(bytes32 batchId)',
  'error WrongState(bytes32 batchId, uint8 state)',
  'error WrongRegistryBlock(uint64 given, uint64 committedBlock)',
  'error AlreadyAttested(bytes32 batchId, address validator)',
  'error NotAValidator(address signer)',
  'error WindowOpen(uint64 until)',
])

export const TEE_REGISTRY = parseAbi([
  'event KeyProposed(bytes32 indexed registrationId, address indexed node, address indexed key, bytes32 hardwareType, bytes32 rootHash, bytes32 measurement, uint8 engineClasses, bytes32 evidenceHash, string evidenceURI)',
  'function key(address key) view returns (address node, bytes32 hardwareType, bytes32 rootHash, bytes32 measurement, uint8 engineClasses, bytes32 evidenceHash, uint64 validFrom, uint64 revokedAt, bool bonded)',
  'function hardware(bytes32 hardwareType) view returns (uint64 validFrom, uint64 revokedAt)',
  'function root(bytes32 hardwareType, bytes32 rootHash) view returns (uint64 validFrom, uint64 revokedAt)',
  'function measurement(bytes32 hardwareType, bytes32 measurement) view returns (uint64 validFrom, uint64 revokedAt, uint8 engineClasses)',
  'function suspension(uint8 kind, bytes32 hardwareType, bytes32 id) view returns (uint64 from, uint64 until)',
  'function voteKey(bytes32 registrationId, bool valid, bytes signature)',
  'error UnknownRegistration(bytes32 registrationId)',
  'error AlreadyVoted(bytes32 registrationId, address validator)',
  'error NotAValidator(address signer)',
])

export const ESCROW = parseAbi(['function tillUrl(address gateway) view returns (string)'])
