// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Proofs announced as a hash before they are shown
/// @notice A copied proof earns nothing: the earliest announcement counts, and only in a later block.
abstract contract Announcements {
    struct Announcement {
        uint64 blockNumber;
        uint64 time;
    }

    /// @notice Seconds for which an announcement counts.
    uint256 public constant ANNOUNCEMENT_LIFE = 1 days;

    mapping(bytes32 commitment => Announcement) public announcements;

    event Announced(bytes32 indexed commitment, address indexed sender);

    error AlreadyAnnounced(bytes32 commitment);
    error NotAnnounced(bytes32 commitment);
    error AnnouncedJustNow(bytes32 commitment);

    function commitmentOf(address prover, uint8 class, bytes32 proofHash, bytes32 salt) public pure returns (bytes32) {
        return keccak256(abi.encode(prover, class, proofHash, salt));
    }

    /// @notice Says, without saying what, that the caller holds a proof.
    /// @param commitment `commitmentOf(caller, class, keccak256(proof), salt)`
    function announce(bytes32 commitment) external {
        if (announcements[commitment].blockNumber != 0) revert AlreadyAnnounced(commitment);
        announcements[commitment] = Announcement(uint64(block.number), uint64(block.timestamp));
        emit Announced(commitment, msg.sender);
    }

    /// @return blockNumber of the caller's announcement of this proof
    function _announced(uint8 class, bytes calldata proof, bytes32 salt) internal returns (uint64 blockNumber) {
        bytes32 commitment = commitmentOf(msg.sender, class, keccak256(proof), salt);
        Announcement memory a = announcements[commitment];
        if (a.blockNumber == 0 || block.timestamp > a.time + ANNOUNCEMENT_LIFE) revert NotAnnounced(commitment);
        if (block.number <= a.blockNumber) revert AnnouncedJustNow(commitment);
        delete announcements[commitment];
        return a.blockNumber;
    }
}
