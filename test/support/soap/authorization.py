"""The SOAP service of the tests on Spyne, document/literal: SOAP_VERSION is 1.1 or 1.2, PORT where it listens."""
import os
from wsgiref.simple_server import make_server

from spyne import Application, Fault, ServiceBase, Unicode, rpc
from spyne.protocol.soap import Soap11, Soap12
from spyne.server.wsgi import WsgiApplication

NAMES = {"user": "User", "sender": "Sender", "recipient": "Recipient", "address": "ClientAddress", "name": "ClientName"}


class MailAuthorization(ServiceBase):
    @rpc(*[Unicode] * 5, _in_arg_names=NAMES, _returns=(Unicode, Unicode), _out_variable_names=("Decision", "Reason"))
    def Check(ctx, user, sender, recipient, address, name):
        if sender == "fault@example.net":
            raise Fault("Client", "no such account")
        if sender == "alice@example.net":
            return "Permit", None
        return "Deny", f"{sender} may not write to {recipient}"


Protocol = Soap12 if os.environ["SOAP_VERSION"] == "1.2" else Soap11
application = Application(
    [MailAuthorization], "urn:example:mail-authorization", in_protocol=Protocol(), out_protocol=Protocol()
)
make_server("127.0.0.1", int(os.environ["PORT"]), WsgiApplication(application)).serve_forever()
