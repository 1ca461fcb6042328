#!/usr/bin/perl
# Verifies the DKIM signatures of messages with Mail::DKIM, against one given DNS record.
#
# Usage: verify_dkim.pl DNS-NAME TXT-VALUE MESSAGE-FILE...
# Prints a line a signature, topmost first: result, d=, s=, h= (lower-case), separated by tabs; and an
# empty line behind each message. The network is never asked: any other name has no record.
use strict;
use warnings;
use Mail::DKIM::DNS;
use Mail::DKIM::Verifier;
use Net::DNS;

package OneRecord {
    sub new { my ( $class, $name, $value ) = @_; return bless { name => lc $name, value => $value }, $class }
    sub errorstring { return 'NOERROR' }

    sub send {
        my ( $self, $asked, $type ) = @_;
        $asked =~ s/\.$//;
        my $answer = Net::DNS::Packet->new( $asked, $type );
        if ( $type eq 'TXT' && lc $asked eq $self->{name} ) {
            # A character-string holds at most 255 octets (RFC 1035 s.3.3.14).
            my @strings = unpack '(a255)*', $self->{value};
            $answer->push( answer => Net::DNS::RR->new( name => $asked, type => 'TXT', txtdata => \@strings ) );
        }
        return $answer;
    }
}

my ( $name, $value, @paths ) = @ARGV;
Mail::DKIM::DNS::resolver( OneRecord->new( $name, $value ) );
for my $path (@paths) {
    open my $message, '<:raw', $path or die "$path: $!";
    my $verifier = Mail::DKIM::Verifier->new();
    # Octets as they are: load() would mend line ends.
    $verifier->PRINT( do { local $/; <$message> } );
    $verifier->CLOSE;
    for my $signature ( $verifier->signatures ) {
        my $passed = $signature->result eq 'pass';
        my $result = $passed ? 'pass' : 'fail: ' . $signature->result_detail;
        print join( "\t", $result, $signature->domain, $signature->selector, lc join( ':', $signature->headerlist ) ), "\n";
    }
    print "\n";
}
