"""The authorization service on Spyne, which makes its own description: wrapped and not, SOAP 1.1 and 1.2."""
import sys
from wsgiref.simple_server import make_server
from spyne import Application, Boolean, ComplexModel, Integer, ServiceBase, Unicode, rpc
from spyne.protocol.soap import Soap11, Soap12
from spyne.server.wsgi import WsgiApplication


class Question(ComplexModel):
    __namespace__ = "urn:example:spyne"
    sender = Unicode(min_occurs=1, nillable=False)
    recipient = Unicode(min_occurs=1, nillable=False)


class Answer(ComplexModel):
    __namespace__ = "urn:example:spyne"
    decision = Unicode(values=["Permit", "Deny"], min_occurs=1)
    reason = Unicode


class Authorization(ServiceBase):
    @rpc(Unicode, Unicode, Integer, _returns=Boolean)
    def check_mail(ctx, sender, recipient, size):
        return sender == "alice@example.net"

    @rpc(Question, _returns=Answer, _body_style="bare")
    def decide(ctx, question):
        if question.sender == "alice@example.net":
            return Answer(decision="Permit")
        return Answer(decision="Deny", reason=question.sender + " is not known")


version = Soap12 if sys.argv[2] == "1.2" else Soap11
application = Application([Authorization], "urn:example:spyne", in_protocol=version(validator="lxml"), out_protocol=version())
make_server("127.0.0.1", int(sys.argv[1]), WsgiApplication(application)).serve_forever()
