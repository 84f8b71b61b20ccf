"""The official client creates, attaches, applies, snapshots, rescales and deletes everything."""

import os
import sys
import time

from hcloud import APIException, Client
from hcloud.firewalls import FirewallResource, FirewallRule
from hcloud.images import Image
from hcloud.locations import Location
from hcloud.networks import NetworkRoute, NetworkSubnet
from hcloud.server_types import ServerType
from hcloud.servers import ServerCreatePublicNetwork
from hcloud.zones import ZoneRecord

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ops"
LABELS = {"tenant": "acme", "run": "r1"}

client = Client(os.environ["HCLOUD_TOKEN"], api_endpoint=sys.argv[1], poll_interval=0.01)


def done(response):
    """Waits for every action that a response holds."""
    for action in [response.action, *(getattr(response, "next_actions", None) or [])]:
        action.wait_until_finished()


def refused(code, call):
    """Expects a call to be refused with a code."""
    try:
        call()
    except APIException as error:
        assert error.code == code, f"{error.code} instead of {code}"
        return
    raise AssertionError(f"nothing refused with {code}")


# Preflight.
server_type = client.server_types.get_by_name("cx23")
places = {place.location.name: place for place in server_type.locations}
assert places["nbg1"].available, places
location = client.locations.get_by_name("nbg1")
image = client.images.get_by_name_and_architecture("debian-12", "x86")
assert client.server_types.get_by_name("cx22") is None

# Network, key, firewall.
ssh_key = client.ssh_keys.create("ops", KEY, labels=LABELS)
subnet = NetworkSubnet(type="cloud", network_zone="eu-central", ip_range="10.7.1.0/24")
network = client.networks.create("acme", "10.7.0.0/16", subnets=[subnet], labels=LABELS)
network.add_route(NetworkRoute("10.100.0.0/24", "10.7.1.9")).wait_until_finished()
refused("uniqueness_error", lambda: client.networks.create("acme", "10.7.0.0/16"))
rules = [
    FirewallRule(direction="in", protocol="tcp", port="443", source_ips=["0.0.0.0/0", "::/0"]),
    FirewallRule(direction="in", protocol="tcp", port="22", source_ips=["192.0.2.7/32"]),
]
created = client.firewalls.create("acme", rules=rules, labels=LABELS)
firewall = created.firewall
for action in created.actions or []:
    action.wait_until_finished()

# Servers: one with everything at once, one that gets it later.
created = client.servers.create(
    "acme-gateway",
    ServerType(name="cx23"),
    Image(id=image.id),
    ssh_keys=[ssh_key],
    networks=[network],
    firewalls=[firewall],
    location=Location(name="nbg1"),
    labels=LABELS,
    user_data="#cloud-config\n",
)
assert created.root_password is None
done(created)
gateway = client.servers.get_by_id(created.server.id)
assert gateway.status == "running", gateway.status
assert gateway.private_net[0].ip == "10.7.1.1", gateway.private_net[0].ip
assert gateway.public_net.firewalls[0].status == "applied"
created = client.servers.create(
    "acme-db", ServerType(name="cx23"), Image(name="debian-12"), location=location, labels=LABELS
)
assert created.root_password
done(created)
database = client.servers.get_by_id(created.server.id)
database.attach_to_network(network, ip="10.7.1.20").wait_until_finished()
for action in firewall.apply_to_resources([FirewallResource("server", server=database)]):
    action.wait_until_finished()
firewall.reload()
assert {target.server.id for target in firewall.applied_to} == {gateway.id, database.id}
members = client.networks.get_by_id(network.id).servers
assert {server.id for server in members} == {gateway.id, database.id}

# Volume.
created = client.volumes.create(10, "acme-data", location=location, format="ext4", labels=LABELS)
done(created)
volume = created.volume
volume.attach(database, automount=False).wait_until_finished()
volume.reload()
assert volume.server.id == database.id
refused("service_error", volume.delete)
volume.resize(20).wait_until_finished()

# Snapshot and rescale.
refused("server_not_stopped", lambda: database.change_type(ServerType(name="cx33"), False))
database.shutdown().wait_until_finished()
while client.servers.get_by_id(database.id).status != "off":
    time.sleep(0.01)
created = database.create_image(description="before", type="snapshot", labels=LABELS)
created.action.wait_until_finished()
snapshot = client.images.get_by_id(created.image.id)
assert snapshot.status == "available" and snapshot.image_size > 0
database.change_type(ServerType(name="cx33"), upgrade_disk=False).wait_until_finished()
database.reload()
assert database.server_type.name == "cx33" and database.status == "running", database.status

# Address and names.
created = client.primary_ips.create(
    type="ipv4", name="acme-edge", location=Location(name="nbg1"), labels=LABELS
)
address = created.primary_ip
private = ServerCreatePublicNetwork(ipv4=address, enable_ipv6=False)
created = client.servers.create(
    "acme-edge", ServerType(name="cx23"), Image(name="debian-12"), location=location,
    public_net=private, labels=LABELS,
)
done(created)
edge = client.servers.get_by_id(created.server.id)
assert edge.public_net.ipv4.ip == address.ip
created = client.zones.create(name="acme.example", mode="primary", labels=LABELS)
created.action.wait_until_finished()
zone = created.zone
created = zone.create_rrset(name="www", type="A", records=[ZoneRecord(value=address.ip)])
created.action.wait_until_finished()
rrset = zone.get_rrset("www", "A")
rrset.set_rrset_records([ZoneRecord(value="198.18.9.9")]).wait_until_finished()
assert zone.get_rrset("www", "A").records[0].value == "198.18.9.9"
zone.delete_rrset(rrset).action.wait_until_finished()
zone.delete().action.wait_until_finished()

# Everything goes, in reverse.
volume.detach().wait_until_finished()
assert volume.delete()
for server in client.servers.get_all(label_selector="run=r1"):
    server.delete().wait_until_finished()
assert client.servers.get_all() == []
assert [left.name for left in client.primary_ips.get_all()] == ["acme-edge"]
assert address.delete() and snapshot.delete() and ssh_key.delete() and network.delete()
for attempt in range(1000):
    try:
        firewall.delete()
        break
    except APIException as error:
        assert error.code == "resource_in_use", error.code
        time.sleep(0.01)
assert client.firewalls.get_all() == []
print("whole flow done")
